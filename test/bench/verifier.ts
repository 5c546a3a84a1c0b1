import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { VerifierProcess } from "../support/verifier/process.ts";
import { goodKey, mint } from "../support/verifier/tokens.ts";
import { ask, Folder, keySettings } from "../support/verifier/verifier.ts";
import { median } from "./measure.ts";
import { chart } from "./verifierChart.ts";
import type { LoadResult } from "./verifierLoad.ts";

const here = dirname(fileURLToPath(import.meta.url));
const chartFile = join(here, "..", "..", "docs", "verifier-bench.svg");
const roundMs = 700;
const tokenCount = 512;

/** Figures of one run; ratios are medians over the rounds. */
export interface VerifierFigures {
  /** Requests per CPU second with a remembered token, as a share of a bare server's. */
  readonly cached: number;
  /** The same where every token is verified, as a share of 1 / (time of `jose.jwtVerify` + time of a bare request). */
  readonly uncached: number;
}

interface Round {
  readonly cpuPerRequest: number;
  readonly load: LoadResult;
}

/**
 * Measures the bundle as it is deployed beside a bare `node:http` server and `jose.jwtVerify`, in turns, in CPU time of all threads: what
 * else runs on the machine hits all of them alike. Prints ratios, and draws them to docs/verifier-bench.svg.
 */
export async function benchVerifier(rounds = 9): Promise<VerifierFigures> {
  using folder = new Folder();
  const now = Math.floor(Date.now() / 1000);
  const tokens = Array.from({ length: tokenCount }, (_, at) =>
    mint({ iat: now, nbf: now, exp: now + 3600, jti: String(at) }),
  );
  const tokenFile = folder.write("tokens", tokens.join("\n"));
  const settings = { audience: "verifier.example", ...keySettings(folder) };
  const keyFile = folder.write("key.pem", goodKey.publicPem);

  await using cachedServer = await VerifierProcess.start(folder.path, settings);
  await using uncachedServer = await VerifierProcess.start(folder.path, { ...settings, localCacheSeconds: 0 });
  await using bareServer = await Child.start("verifierBaseline.ts", "bare");
  await using jose = await Child.start("verifierBaseline.ts", "jose", keyFile, tokenFile);
  await using load = await Child.start("verifierLoad.ts", tokenFile);

  const measure = async (port: number, one: boolean, cpu: () => Promise<number>): Promise<Round> => {
    const before = await cpu();
    const result = await load.ask<LoadResult>({ port, ms: roundMs, one });
    if (result.failures > 0) throw new Error(`${result.failures} of ${result.answers} answers were not 200`);
    return { cpuPerRequest: ((await cpu()) - before) / result.answers, load: result };
  };
  const bareCpu = async () => (await bareServer.ask<{ cpu: number }>("cpu")).cpu;
  const bare: Round[] = [];
  const cached: Round[] = [];
  const uncached: Round[] = [];
  const verify: number[] = [];
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    const results = [
      await measure(bareServer.ready.port ?? 0, true, bareCpu),
      await measure(cachedServer.port, true, () => cpuOf(cachedServer)),
      await measure(uncachedServer.port, false, () => cpuOf(uncachedServer)),
    ] as const;
    const { cpu } = await jose.ask<{ cpu: number }>(5_000);
    if (round === 0) continue;
    bare.push(results[0]);
    cached.push(results[1]);
    uncached.push(results[2]);
    verify.push(cpu);
  }
  return report({ bare, cached, uncached, verify });
}

interface Rounds {
  readonly bare: readonly Round[];
  readonly cached: readonly Round[];
  readonly uncached: readonly Round[];
  /** Microseconds of CPU of one `jose.jwtVerify`. */
  readonly verify: readonly number[];
}

async function report({ bare, cached, uncached, verify }: Rounds): Promise<VerifierFigures> {
  const over = (ratio: (round: number) => number) => bare.map((_, round) => ratio(round));
  const cpu = (rounds: readonly Round[], at: number) => rounds[at]?.cpuPerRequest ?? Number.NaN;
  const limit = over((at) => cpu(bare, at) / (cpu(bare, at) + (verify[at] ?? Number.NaN)));
  const cachedShare = over((at) => cpu(bare, at) / cpu(cached, at));
  const uncachedShare = over((at) => cpu(bare, at) / cpu(uncached, at));
  const uncachedOfLimit = over((at) => (uncachedShare[at] ?? Number.NaN) / (limit[at] ?? Number.NaN));

  console.log(`\nVerifier, requests per CPU second, median of ${bare.length} rounds (least to most)`);
  const line = (name: string, ratios: readonly number[], what: string) =>
    console.log(
      `  ${name.padEnd(30)} ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}) of ${what}`,
    );
  line("remembered token", cachedShare, "a bare node:http server");
  line("every token verified, RS256", uncachedOfLimit, "1 / (jose.jwtVerify + bare request)");
  line("", uncachedShare, "a bare node:http server");
  console.log("  times of answers at 32 connections, one after the other on each, in bare server's medians:");
  const unit = median(bare.map(({ load }) => load.p50));
  for (const [name, rounds] of [
    ["bare", bare],
    ["remembered token", cached],
    ["every token verified", uncached],
  ] as const) {
    const share = (of: (load: LoadResult) => number) => (median(rounds.map(({ load }) => of(load))) / unit).toFixed(2);
    console.log(
      `  ${name.padEnd(30)} p50 ${share((load) => load.p50)}  p90 ${share((load) => load.p90)}  p99 ${share((load) => load.p99)}`,
    );
  }

  const figures = { cached: median(cachedShare), uncached: median(uncachedOfLimit) };
  await mkdir(dirname(chartFile), { recursive: true });
  const bars = [
    { label: "bare node:http", ratio: 1, note: "" },
    { label: "remembered token", ratio: figures.cached, note: "" },
    { label: "jose.jwtVerify and bare, in theory", ratio: median(limit), note: "" },
    {
      label: "every token verified (RS256)",
      ratio: median(uncachedShare),
      note: `= ${figures.uncached.toFixed(2)} of that`,
    },
  ];
  await writeFile(chartFile, chart("Requests per CPU second, as a share of a bare server's", bars));
  return figures;
}

/** Microseconds. */
async function cpuOf({ adminPort }: VerifierProcess): Promise<number> {
  const { body } = await ask(adminPort, undefined, {}, "GET", "/metrics");
  return Number(/^process_cpu_seconds_total (\S+)/m.exec(body)?.[1]) * 1e6;
}

/** A process that answers each message with one. */
class Child implements AsyncDisposable {
  readonly ready: { readonly port?: number };
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, ready: { readonly port?: number }) {
    this.#process = process;
    this.ready = ready;
  }

  static async start(file: string, ...args: readonly string[]): Promise<Child> {
    const child = fork(join(here, file), [...args], { execArgv: [] });
    const [ready] = await once(child, "message", { signal: AbortSignal.timeout(20_000) });
    return new Child(child, ready);
  }

  async ask<T>(message: string | number | object): Promise<T> {
    const answer = once(this.#process, "message", { signal: AbortSignal.timeout(60_000) });
    this.#process.send(message);
    const [result] = await answer;
    return result as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#process, "close");
    this.#process.kill("SIGKILL");
    await closed;
  }
}
