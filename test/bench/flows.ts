import { join } from "node:path";
import { stringify } from "yaml";
import { program, projectFile } from "../support/project.ts";
import { Bench } from "./bench.ts";
import { BenchStack, type Settings } from "./benchStack.ts";
import { type Group, saveChart } from "./chart.ts";
import { median, type Run, run } from "./measure.ts";
import { certificateSteps, cleanSteps, tokenSteps } from "./shellSteps.ts";

/**
 * Measures `pulumi up` of this program on a running sandbox beside a bare Pulumi program with the same objects and beside the shell
 * steps of the guides, all in one run and in turns: the machine's other load is the same for all. Ratios are what counts. Prints them, and
 * draws them to docs/flows-bench.svg.
 */
export async function benchFlows(rounds = 10): Promise<void> {
  await using bench = await Bench.start();
  const groups: Group[] = [];
  for (const flow of ["token", "both"] as const) {
    groups.push(...(await compare({ flow, bench, rounds })));
  }
  await saveChart("flows-bench.svg", rounds, { title: flowsTitle, groups });
}

const ourName = "k8sauth";
const flowsTitle = "Time of pulumi up, as a multiple of a bare Pulumi program's";

interface Setting {
  readonly flow: "token" | "both";
  readonly bench: Bench;
  readonly rounds: number;
}

interface Contender {
  readonly name: string;
  readonly ours?: boolean;
  fresh(): Promise<Run>;
  unchanged?(memory?: boolean): Promise<Run>;
  clean(): Promise<void>;
}

async function compare(setting: Setting): Promise<Group[]> {
  const { flow, rounds } = setting;
  const title = flow === "token" ? "Token flow" : "Both flows";
  const detail = flow === "token" ? "" : " (RSA 2048 key made in the run)";
  console.log(`\n${title}${detail}, median of ${rounds} rounds`);
  const contenders = [await bareProgram(setting), await thisProgram(setting), shell(setting)];
  const results = contenders.map((contender) => ({
    contender,
    fresh: [] as number[],
    unchanged: [] as number[],
    peak: 0,
  }));
  // The first round of each warms caches and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const result of results) {
      const { contender } = result;
      const fresh = await contender.fresh();
      const unchanged = await contender.unchanged?.();
      if (round === rounds) result.peak = (await contender.unchanged?.(true))?.peakMiB ?? 0;
      await contender.clean();
      if (round === 0) continue;
      result.fresh.push(fresh.seconds);
      if (unchanged) result.unchanged.push(unchanged.seconds);
    }
  }
  const [bare] = results;
  for (const { contender, fresh, unchanged, peak } of results) {
    const compared = (seconds: readonly number[], base: readonly number[] = []) =>
      `${median(seconds).toFixed(2)} s (${(median(seconds) / median(base)).toFixed(2)} × bare)`;
    const more = unchanged.length > 0 ? `, unchanged ${compared(unchanged, bare?.unchanged)}` : "";
    const memory = peak > 0 ? `, peak of the process tree ${peak.toFixed(0)} MiB` : "";
    console.log(`  ${contender.name.padEnd(20)} from nothing ${compared(fresh, bare?.fresh)}${more}${memory}`);
  }
  const of = (operation: "fresh" | "unchanged") =>
    results.flatMap(({ contender: { name, ours }, [operation]: seconds }) =>
      seconds.length > 0 ? [{ name, ours, seconds: median(seconds) }] : [],
    );
  return [flowGroup(`${title}, from nothing`, of("fresh")), flowGroup(`${title}, unchanged`, of("unchanged"))];
}

interface Time {
  readonly name: string;
  readonly ours?: boolean;
  readonly seconds: number;
}

/** Times beside the first of them. */
function flowGroup(heading: string, times: readonly Time[]): Group {
  const [mark] = times;
  const bars = times.map(({ name, ours, seconds }) => ({
    label: name,
    ratio: seconds / (mark?.seconds ?? Number.NaN),
    note: `${seconds.toFixed(2)} s`,
    ours,
  }));
  return { heading, bars };
}

function shell({ flow, bench: { sandbox, folder } }: Setting): Contender {
  const env = { ...process.env, K: `${sandbox.binary} kubectl`, KUBECONFIG: sandbox.kubeconfig, W: folder };
  let count = 0;
  const own = () => ({ ...env, N: `bench-${flow}-${count}` });
  return {
    name: "shell steps",
    fresh: () => {
      count += 1;
      return run("sh", ["-c", flow === "token" ? tokenSteps : tokenSteps + certificateSteps], { env: own() });
    },
    clean: async () => void (await run("sh", ["-c", cleanSteps], { env: own() })),
  };
}

async function thisProgram(setting: Setting): Promise<Contender> {
  return contender(ourName, setting, await projectFile());
}

async function bareProgram(setting: Setting): Promise<Contender> {
  const runtime = { name: "nodejs", options: { typescript: false } };
  const main = join(program, "test", "bench", "bare");
  return contender("bare Pulumi program", setting, stringify({ name: "k8sauth", runtime, main }));
}

async function contender(name: string, setting: Setting, project: string): Promise<Contender> {
  const { flow, bench } = setting;
  const { name: context, kubeconfig } = bench.sandbox;
  const own: Settings = name === ourName ? { context: `sandbox-${context}`, allowLoopbackHost: true } : {};
  const settings = { kubeconfig, certificateFlow: flow === "both", ...own };
  const stack = await BenchStack.make(bench, project, settings);
  return {
    name,
    ours: name === ourName,
    fresh: () => stack.operate("up"),
    unchanged: (memory) => stack.operate("up", [], memory),
    clean: async () => void (await stack.operate("destroy")),
  };
}
