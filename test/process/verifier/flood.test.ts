import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { load } from "../../support/verifier/load.ts";
import { VerifierProcess } from "../../support/verifier/process.ts";
import { encode, goodKey, mint, podClaims, strangeKey } from "../../support/verifier/tokens.ts";
import { apiServer, apiSettings, ask, Folder } from "../../support/verifier/verifier.ts";

const limitMiB = 192;

/** Real time here: claims that are good now. */
function current(more: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return { iat: now - 10, nbf: now - 10, exp: now + 3_000, ...more };
}

async function rssMiB({ adminPort }: VerifierProcess): Promise<number> {
  const { body } = await ask(adminPort, undefined, {}, "GET", "/metrics");
  return Number(/^process_resident_memory_bytes (\d+)/m.exec(body)?.[1]) / 1024 / 1024;
}

test("100,000 distinct forged tokens make no review, push out no good entry, and take no memory", {
  timeout: 180_000,
}, async () => {
  using folder = new Folder();
  await using api = await apiServer();
  const settings = { audience: "verifier.example", reviewCacheSeconds: 600, ...apiSettings(api, folder) };
  await using verifier = await VerifierProcess.start(folder.path, settings);
  const good = Array.from({ length: 100 }, (_, at) => mint(current({ jti: `good-${at}` })));
  for (const token of good) expect((await verifier.ask(token)).status).toBe(200);
  expect(api.reviews).toHaveLength(good.length);

  const head = encode({ alg: "RS256", kid: goodKey.kid });
  const statuses = new Map<number, number>();
  const flood = async (count: number) => {
    let left = count;
    // As a forger would: everything right but the signature.
    const next = () =>
      left-- > 0
        ? `${head}.${encode(podClaims(current({ jti: left })))}.${randomBytes(256).toString("base64url")}`
        : undefined;
    const onAnswer = (status: number) => void statuses.set(status, (statuses.get(status) ?? 0) + 1);
    await load({ port: verifier.port, connections: 16, next, onAnswer });
  };
  await flood(40_000);
  const early = await rssMiB(verifier);
  await flood(60_000);
  const late = await rssMiB(verifier);
  expect(Object.fromEntries(statuses)).toEqual({ 401: 100_000 });
  expect(late).toBeLessThan(limitMiB);
  expect(late - early).toBeLessThan(24);

  for (const token of good) expect((await verifier.ask(token)).status).toBe(200);
  expect(api.reviews).toHaveLength(good.length);
});

test("a flood of forged key ids causes one request per second to the issuer, and does not delay good tokens", {
  timeout: 60_000,
}, async () => {
  using folder = new Folder();
  await using api = await apiServer();
  const settings = { audience: "verifier.example", mode: "oidc-discovery", ...apiSettings(api, folder) };
  await using verifier = await VerifierProcess.start(folder.path, settings);
  const before = api.keyRequests;
  const started = performance.now();
  const overtakenBy: number[] = [];
  // For three seconds at least, and until enough good tokens had their answers: the first waits for 500 connections to be opened.
  const goesOn = () => performance.now() < started + 3_000 || overtakenBy.length < 20;
  const signed = mint(current(), strangeKey, { kid: "made-up" });
  const rest = signed.slice(signed.indexOf("."));
  let count = 0;
  const next = () => (goesOn() ? encode({ alg: "RS256", kid: `made-up-${count++}` }) + rest : undefined);
  const connections = 500;
  const flood = load({ port: verifier.port, connections, next });
  const statuses = new Set<number>();
  let sentAt = 0;
  // On a connection that is open, as gateways have theirs.
  const good = load({
    port: verifier.port,
    connections: 1,
    next: () => {
      sentAt = count;
      return goesOn() ? mint(current({ jti: String(overtakenBy.length) })) : undefined;
    },
    onAnswer: (status) => {
      statuses.add(status);
      overtakenBy.push(count - sentAt);
    },
  });
  await Promise.all([flood, good]);
  expect([...statuses]).toEqual([200]);
  const seconds = (performance.now() - started) / 1000;
  expect(api.keyRequests - before).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
  // In turn, whatever the speed of the machine: while it waits no connection of the flood is answered again and again.
  expect(overtakenBy.sort((a, b) => a - b)[Math.floor(overtakenBy.length / 2)]).toBeLessThan(4 * connections);
});
