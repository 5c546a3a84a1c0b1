/** Made-up tokens by the thousand, the same ones in every run. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { load } from "../../support/verifier/load.ts";
import { edKey, issuer, mint, podClaims, signRaw } from "../../support/verifier/tokens.ts";
import {
  type ApiServer,
  apiServer,
  apiSettings,
  Folder,
  keySettings,
  type Verifier,
  verifier,
} from "../../support/verifier/verifier.ts";

const folder = new Folder();
const key = edKey();
let api: ApiServer;
let local: Verifier;
let reviewing: Verifier;
beforeAll(async () => {
  api = await apiServer([]);
  local = await verifier(keySettings(folder, {}, key.publicPem));
  reviewing = await verifier(apiSettings(api, folder, { mode: "tokenreview", issuer }));
});
afterAll(async () => {
  for (const one of [local, reviewing]) await one?.[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const leaves = [
  ...[
    null,
    true,
    false,
    0,
    1,
    -1,
    1e308,
    -0.5,
    1_800_000_100,
    "",
    "a",
    "web",
    "team-a",
    "\u0000",
    "\ud800",
    "é".repeat(50),
    "__proto__",
  ],
  ...["system:serviceaccount:team-a:web", "https://issuer.example", "verifier.example", "x\r\ny: z", "ns/name", [], {}],
];

function anything(random: () => number, depth = 0): unknown {
  const pick = random();
  if (depth > 3 || pick < 0.6) return leaves[Math.floor(random() * leaves.length)];
  const length = Math.floor(random() * 4);
  if (pick < 0.8) return Array.from({ length }, () => anything(random, depth + 1));
  const names = ["name", "uid", "namespace", "serviceaccount", "pod", "node", "secret", "constructor"];
  return Object.fromEntries(
    Array.from({ length }, () => [names[Math.floor(random() * names.length)], anything(random, depth + 1)]),
  );
}

/** Good claims and header with some of their parts, at any depth, exchanged for anything. */
function strange(random: () => number): string {
  const header: Record<string, unknown> = { alg: key.alg, kid: key.kid };
  const claims = structuredClone(podClaims());
  for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) {
    let target: Record<string, unknown> = random() < 0.1 ? header : claims;
    for (;;) {
      const names = Object.keys(target);
      const name = names[Math.floor(random() * names.length)] ?? "more";
      const inner = target[name];
      if (typeof inner === "object" && inner !== null && !Array.isArray(inner) && random() < 0.7) {
        target = inner as Record<string, unknown>;
        continue;
      }
      if (random() < 0.15) delete target[name];
      else target[name] = anything(random);
      break;
    }
  }
  return signRaw(header, claims, key);
}

async function answers(one: Verifier, tokens: readonly string[]): Promise<Record<string, number>> {
  const rest = [...tokens];
  const statuses: Record<string, number> = {};
  await load({
    port: one.port,
    connections: 8,
    next: () => rest.pop(),
    onAnswer: (status) => {
      statuses[status] = (statuses[status] ?? 0) + 1;
    },
  });
  return statuses;
}

test("whatever a trusted issuer signs gets a decision, and never an error of the verifier's", {
  timeout: 60_000,
}, async () => {
  const random = randomOf(20_261_126);
  const tokens = Array.from({ length: 5_000 }, () => strange(random));
  for (const one of [local, reviewing]) {
    const statuses = await answers(one, tokens);
    expect(Object.keys(statuses).filter((status) => status !== "200" && status !== "401")).toEqual([]);
    // Some changes are harmless: the rest is not all refused by chance.
    expect(statuses[200]).toBeGreaterThan(50);
    expect(statuses[401]).toBeGreaterThan(2_000);
    expect(one.lines.filter(({ level }) => level === "error")).toEqual([]);
  }
});

test("a good token with any of its characters exchanged, taken out or doubled is refused", {
  timeout: 60_000,
}, async () => {
  const random = randomOf(7);
  const good = mint({}, key);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ~";
  const changed = new Set<string>();
  for (let at = 0; at < good.length; at++) {
    const other = alphabet[Math.floor(random() * alphabet.length)] ?? "";
    changed.add(good.slice(0, at) + other + good.slice(at + 1));
    changed.add(good.slice(0, at) + good.slice(at + 1));
    changed.add(good.slice(0, at) + good[at] + good.slice(at));
  }
  changed.delete(good);
  // Blanks around a header's value are not part of it (RFC 9110 section 5.5).
  for (const token of changed) if (token.trim() === good) changed.delete(token);
  expect(Object.keys(await answers(local, [...changed]))).toEqual(["401"]);
  expect((await local.ask(good)).status).toBe(200);
});
