import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { defaultParallel } from "../../examples/fleet/run.ts";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { program } from "../support/stack.ts";
import { type Run, run } from "./measure.ts";

/** Figures of one run. */
export interface FleetFigures {
  /** Time of a stack among many, as a share of that of a stack among few: 1 is linear. */
  readonly linearity: { readonly fresh: number; readonly unchanged: number };
  /** Peak memory of the process tree with many stacks, as a share of that with few: 1 is flat. */
  readonly memory: { readonly fresh: number; readonly unchanged: number };
}

interface Measured {
  readonly fresh: Run;
  readonly unchanged: Run;
}

const sandboxes = 3;
const few = 10;
const many = 40;

/**
 * Measures the fleet example with the embedded engine: 10 stacks and 40 on the same few sandboxes, from nothing and with nothing
 * to change. Prints times for each stack and peaks of memory (PSS of the process tree) as ratios.
 */
export async function benchFleet(): Promise<FleetFigures> {
  const folder = await mkdtemp(join(tmpdir(), "k8sauth-bench-fleet-"));
  const clusters: Sandbox[] = [];
  try {
    for (let index = 0; index < sandboxes; index++) clusters.push(await startSandbox({ ephemeral: true }));
    const parallel = defaultParallel();
    console.log(`\nFleet: stacks on ${sandboxes} sandboxes, ${parallel} at once, token flow`);
    // The first stacks of all warm the caches.
    await measure(folder, clusters, parallel, parallel);
    const [small, large] = [
      await measure(folder, clusters, few, parallel),
      await measure(folder, clusters, many, parallel),
    ];
    const ratio = (kind: keyof Measured) => large[kind].seconds / many / (small[kind].seconds / few);
    const memory = (kind: keyof Measured) => large[kind].peakMiB / small[kind].peakMiB;
    for (const [name, kind] of [["from nothing", "fresh"], ["unchanged", "unchanged"]] as const) {
      console.log(`  ${name.padEnd(13)}${described(few, small[kind])}; ${described(many, large[kind])}`);
      console.log(`  ${"".padEnd(13)}time for each stack ${ratio(kind).toFixed(2)} × (1 is linear), peak memory ${memory(kind).toFixed(2)} × (1 is flat)`);
    } // biome-ignore format: pairs
    return {
      linearity: { fresh: ratio("fresh"), unchanged: ratio("unchanged") },
      memory: { fresh: memory("fresh"), unchanged: memory("unchanged") },
    };
  } finally {
    for (const cluster of clusters) await cluster.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function described(stacks: number, { seconds, peakMiB }: Run): string {
  return `${stacks} stacks ${seconds.toFixed(1)} s (${(seconds / stacks).toFixed(2)} s each), peak ${peakMiB.toFixed(0)} MiB`;
}

/** A fleet of so many stacks, made, confirmed and taken away again. */
async function measure(
  base: string,
  clusters: readonly Sandbox[],
  stacks: number,
  parallel: number,
): Promise<Measured> {
  const folder = await mkdtemp(join(base, `${stacks}-`));
  const list = {
    settingsFolder: folder,
    stackPrefix: `bench-${stacks}-`,
    parallel,
    defaults: { allowLoopbackHost: true },
    clusters: Array.from({ length: stacks }, (_, index) => ({
      name: `${index}`,
      kubeconfig: clusters[index % clusters.length]?.kubeconfig,
    })),
  };
  await writeFile(join(folder, "fleet.yaml"), stringify(list));
  const env = { ...process.env, PULUMI_BACKEND_URL: `file://${folder}`, PULUMI_CONFIG_PASSPHRASE: "bench" };
  const main = join(program, "examples", "fleet", "main.ts");
  const command = (operation: string, ...more: string[]) =>
    run(process.execPath, [main, operation, "--engine", "embedded", "--list", join(folder, "fleet.yaml"), ...more], {
      env,
      cwd: program,
      memory: true,
      // A dozen processes at once: more often, and measuring would be a load of its own.
      sampleMs: 200,
    });
  const fresh = await command("up");
  const unchanged = await command("up", "--expect-no-changes");
  await command("destroy", "--yes");
  return { fresh, unchanged };
}
