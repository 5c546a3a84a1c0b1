/** `npm run bench [-- PART… [--rounds N]]`: figures that are compared within one run, because the machines are shared. */
import { parseArgs } from "node:util";

/** By name; each is loaded only when it is asked for. */
const parts: Readonly<Record<string, (rounds?: number) => Promise<unknown>>> = {
  flows: async (rounds) => (await import("./flows.ts")).benchFlows(rounds),
  verifier: async (rounds) => (await import("./verifier.ts")).benchVerifier(rounds),
  package: async (rounds) => (await import("./package.ts")).benchPackage(rounds),
  policy: async (rounds) => (await import("./policy.ts")).benchPolicy(rounds),
};

const { values, positionals } = parseArgs({ options: { rounds: { type: "string" } }, allowPositionals: true });
const unknown = positionals.filter((name) => !Object.hasOwn(parts, name));
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
if (unknown.length > 0 || (rounds !== undefined && !(Number.isSafeInteger(rounds) && rounds > 0))) {
  console.error(`Usage: npm run bench [-- PART… [--rounds N]]; parts are ${Object.keys(parts).join(", ")}.`);
  process.exit(2);
}
for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) await parts[name]?.(rounds);
