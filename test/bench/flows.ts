import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { progressPrinter, type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { program } from "../support/stack.ts";
import { median, type Run, run } from "./measure.ts";
import { certificateSteps, cleanSteps, tokenSteps } from "./shellSteps.ts";

/**
 * Measures `up` on a running sandbox beside the shell steps of the guides, and beside the Pulumi CLI where it is
 * installed, all in one run and in turns: the machine's other load is the same for all. Ratios are what counts.
 */
export async function benchFlows(rounds = 5): Promise<void> {
  const printer = progressPrinter((text) => process.stderr.write(text), process.stderr.isTTY);
  const sandbox = await startSandbox({ ephemeral: true, onProgress: printer.onProgress });
  printer.finish();
  const folder = await mkdtemp(join(tmpdir(), "k8sauth-bench-"));
  try {
    const hasPulumi = spawnSync("pulumi", ["version"]).status === 0;
    for (const flow of ["token", "both"] as const) await compare({ flow, sandbox, folder, rounds }, hasPulumi);
    if (!hasPulumi) console.log("\npulumi is not installed: not compared.");
  } finally {
    await sandbox.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Setting {
  readonly flow: "token" | "both";
  readonly sandbox: Sandbox;
  /** For files of the contenders. */
  readonly folder: string;
  readonly rounds: number;
}

interface Contender {
  readonly name: string;
  fresh(): Promise<Run>;
  unchanged?(memory?: boolean): Promise<Run>;
  clean(): Promise<void>;
}

async function compare(setting: Setting, hasPulumi: boolean): Promise<void> {
  const { flow, rounds } = setting;
  console.log(
    `\n${flow === "token" ? "Token flow" : "Both flows (RSA 2048 key made in the run)"}, median of ${rounds} rounds`,
  );
  const contenders = [shell(setting), await embedded(setting), ...(hasPulumi ? [await pulumi(setting)] : [])];
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
  const base = median(results[0]?.fresh ?? []);
  for (const { contender, fresh, unchanged, peak } of results) {
    const ratio = (seconds: number) => `${seconds.toFixed(2)} s (${(seconds / base).toFixed(2)} × shell)`;
    const more = unchanged.length > 0 ? `, unchanged ${ratio(median(unchanged))}` : "";
    const memory = peak > 0 ? `, peak of the process tree ${peak.toFixed(0)} MiB` : "";
    console.log(`  ${contender.name.padEnd(16)} from nothing ${ratio(median(fresh))}${more}${memory}`);
  }
}

function shell({ flow, sandbox: { kubeconfig, binary }, folder }: Setting): Contender {
  const installed = spawnSync("kubectl", ["version", "--client"]).status === 0;
  const env = {
    ...process.env,
    K: installed ? "kubectl" : `${binary} kubectl`,
    KUBECONFIG: kubeconfig,
    W: folder,
    N: `bench-${flow}`,
  };
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

async function stackFiles(name: string, { flow, sandbox: { kubeconfig }, folder }: Setting) {
  const configFile = join(folder, `Pulumi.${name}.yaml`);
  const settings = { kubeconfig, allowLoopbackHost: true, certificateFlow: flow === "both" };
  const config = Object.fromEntries(Object.entries(settings).map(([key, value]) => [`k8sauth:${key}`, value]));
  await writeFile(configFile, JSON.stringify({ config }));
  const env = { ...process.env, PULUMI_BACKEND_URL: `file://${folder}`, PULUMI_CONFIG_PASSPHRASE: "bench" };
  return { configFile, env };
}

async function embedded(setting: Setting): Promise<Contender> {
  const name = `embedded-${setting.flow}`;
  const { configFile, env } = await stackFiles(name, setting);
  const command = (action: string, memory = false, ...more: string[]) =>
    run(
      process.execPath,
      [join(program, "cli", "main.ts"), action, "--stack", name, "--config-file", configFile, ...more],
      {
        env,
        cwd: program,
        memory,
      },
    );
  return {
    name: "k8sauth up",
    fresh: () => command("up"),
    unchanged: (memory) => command("up", memory),
    clean: async () => void (await command("destroy", false, "--yes")),
  };
}

async function pulumi(setting: Setting): Promise<Contender> {
  const name = `pulumi-${setting.flow}`;
  const { configFile, env } = await stackFiles(name, setting);
  const command = (action: string, memory = false) =>
    run(
      "pulumi",
      [action, "--stack", name, "--config-file", configFile, "--yes", "--non-interactive", "--skip-preview"],
      {
        env,
        cwd: program,
        memory,
      },
    );
  await run("pulumi", ["stack", "init", name], { env, cwd: program });
  // It leaves settings beside Pulumi.yaml, with a salt that these stacks do not use.
  await rm(join(program, `Pulumi.${name}.yaml`), { force: true });
  return {
    name: "pulumi up",
    fresh: () => command("up"),
    unchanged: (memory) => command("up", memory),
    clean: async () => void (await command("destroy")),
  };
}
