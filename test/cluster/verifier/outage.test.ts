import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../../sandbox/index.ts";
import { VerifierProcess } from "../../support/verifier/process.ts";
import type { Reply } from "../../support/verifier/verifier.ts";
import { Cluster } from "./fixture.ts";

let sandbox: Sandbox;
let cluster: Cluster;
let verifiers: Record<"hybrid" | "lenient" | "tokenreview" | "discovery" | "fresh", VerifierProcess>;

beforeAll(async () => {
  sandbox = await startSandbox({ name: "verifier-outage", ephemeral: true });
  cluster = await Cluster.make(sandbox.kubeconfig);
  await cluster.account("caller");
  const start = (more: object) => VerifierProcess.start(cluster.folder, cluster.settings(more));
  const [hybrid, lenient, tokenreview, discovery, fresh] = await Promise.all([
    start({ mode: "hybrid", reviewCacheSeconds: 1 }),
    start({ mode: "hybrid", reviewCacheSeconds: 1, reviewOutage: "local" }),
    start({ mode: "tokenreview", reviewCacheSeconds: 1 }),
    start({ mode: "oidc-discovery" }),
    start({ mode: "oidc-discovery", localCacheSeconds: 0 }),
  ]);
  verifiers = { hybrid, lenient, tokenreview, discovery, fresh };
});
afterAll(async () => {
  for (const verifier of Object.values(verifiers ?? {})) await verifier[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  await sandbox?.stop();
});

/** Tokens for all that a test asks, made while there is an API server. */
const tokens = (count: number) => Promise.all(Array.from({ length: count }, () => cluster.token("caller")));

interface Seen {
  readonly reply: Reply;
  readonly at: number;
}

/** Asks with one token over and over. */
class Caller {
  readonly seen: Seen[] = [];
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>;

  constructor(verifier: VerifierProcess, token: string) {
    this.#running = this.#run(verifier, token);
  }

  async stop(): Promise<readonly Seen[]> {
    this.#stopped.abort();
    await this.#running;
    return this.seen;
  }

  async #run(verifier: VerifierProcess, token: string): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      this.seen.push({ reply: await verifier.ask(token), at: performance.now() });
      await sleep(20);
    }
  }
}

const statuses = (seen: readonly Seen[]) => [...new Set(seen.map(({ reply }) => reply.status))].sort();

describe.each(["killed", "hanging"])("an API server that is %s", (how) => {
  test("stops no local mode, and makes reviews answer 503, never 401 and never 200, until 2 s after its return", async () => {
    const [known = "", ...fresh] = await tokens(5);
    for (const verifier of Object.values(verifiers)) expect((await verifier.ask(known)).status).toBe(200);
    const api = sandbox.component("kube-apiserver");
    if (how === "killed") await api.kill();
    else api.pause();
    // A token that was reviewed lately stays accepted until its entry in the cache expires.
    await sleep(1_500);

    const away = {
      hybrid: new Caller(verifiers.hybrid, fresh[0] as string),
      tokenreview: new Caller(verifiers.tokenreview, fresh[1] as string),
      lenient: new Caller(verifiers.lenient, fresh[2] as string),
      discovery: new Caller(verifiers.discovery, fresh[3] as string),
      uncached: new Caller(verifiers.fresh, known),
      known: new Caller(verifiers.tokenreview, known),
    };
    await sleep(5_000);
    const during = Object.fromEntries(Object.entries(away).map(([name, { seen }]) => [name, statuses(seen)]));
    expect(during).toEqual({
      hybrid: [503],
      tokenreview: [503],
      known: [503],
      lenient: [200],
      discovery: [200],
      uncached: [200],
    });
    for (const { reply } of away.tokenreview.seen) expect(Number(reply.headers["retry-after"])).toBeGreaterThan(0);
    for (const verifier of Object.values(verifiers)) expect((await verifier.readiness()).status).toBe(200);

    if (how === "killed") await api.restart();
    else api.resume();
    await expect
      .poll(
        () =>
          cluster.admin.get("/api").then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true);
    const back = performance.now();
    await sleep(4_000);
    for (const [name, caller] of Object.entries(away)) {
      const seen = await caller.stop();
      expect({ name, statuses: statuses(seen).filter((status) => status !== 503) }).toEqual({ name, statuses: [200] });
      const lastFailure = seen.findLast(({ reply }) => reply.status !== 200)?.at ?? 0;
      expect(lastFailure - back).toBeLessThan(2_000);
    }
  });
});

test("while the issuer's key is rotated no good token is refused", async () => {
  const file = (name: string) => join(sandbox.dir, "pki", name);
  const before = await cluster.token("caller");
  const callers = [new Caller(verifiers.fresh, before), new Caller(verifiers.discovery, before)];
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  writeFileSync(file("service-account.pub"), publicKey + readFileSync(file("service-account.pub"), "utf8"));
  writeFileSync(file("service-account.key"), privateKey);
  await sandbox.component("kube-apiserver").restart();
  const after = await cluster.token("caller");
  const kid = (token: string) => JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid;
  expect(kid(after)).not.toBe(kid(before));
  // The verifiers have the old key set, which may serve for another hour by its headers.
  for (const verifier of Object.values(verifiers)) {
    let reply = await verifier.ask(after);
    for (let more = 0; reply.status === 503 && more < 20; more++) {
      await sleep(100);
      reply = await verifier.ask(after);
    }
    expect(reply.status).toBe(200);
  }
  for (const caller of callers) expect(statuses(await caller.stop())).toEqual([200]);
});
