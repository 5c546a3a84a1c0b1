import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { program, projectFile } from "../support/project.ts";
import { Bench } from "./bench.ts";
import { BenchStack, type Settings } from "./benchStack.ts";
import { median } from "./measure.ts";

/** Measures what the policy pack adds to a preview: with and without it in turns, on one machine at one time. */
export async function benchPolicy(rounds = 7): Promise<void> {
  await using bench = await Bench.start();
  const { sandbox, folder } = bench;
  const policies = join(folder, "policy.json");
  await writeFile(policies, JSON.stringify({ "gateway-host": { allowLoopback: true } }));
  const pack = ["--policy-pack", join(program, "policy"), "--policy-pack-config", policies];
  const project = await projectFile();
  const stack = (settings: Settings) => {
    const own = {
      kubeconfig: sandbox.kubeconfig,
      context: `sandbox-${sandbox.name}`,
      allowLoopbackHost: true,
      certificateFlow: true,
    };
    return BenchStack.make(bench, project, { ...own, ...settings });
  };

  console.log(`\nWhat the policy pack adds to a preview, median of ${rounds} rounds`);
  const verifierImage = `registry.example/nodejs@sha256:${"0".repeat(64)}`;
  const fresh = await stack({ verifier: true, verifierAudiences: ["shop"], verifierImage });
  await compare("both flows and a verifier, from nothing", rounds, (more) => fresh.operate("preview", more), pack);
  const made = await stack({});
  await made.operate("up");
  await compare("both flows, unchanged", rounds, (more) => made.operate("preview", more), pack);
}

async function compare(
  what: string,
  rounds: number,
  preview: (more: readonly string[]) => Promise<{ readonly seconds: number }>,
  pack: readonly string[],
): Promise<void> {
  const [plain, judged]: [number[], number[]] = [[], []];
  // The first round warms caches and is not counted.
  for (let round = 0; round <= rounds; round++) {
    const [without, withPack] = [(await preview([])).seconds, (await preview(pack)).seconds];
    if (round === 0) continue;
    plain.push(without);
    judged.push(withPack);
  }
  const [before, after] = [median(plain), median(judged)];
  const added = `${(after - before).toFixed(2)} s more, ${(after / before).toFixed(2)} ×`;
  console.log(`  ${what}: ${before.toFixed(2)} s, with the pack ${after.toFixed(2)} s (${added})`);
}
