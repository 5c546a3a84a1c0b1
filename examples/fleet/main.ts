/** One operation on the stacks of many clusters: see README.md beside this file. */
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { hasChanges } from "../../engine/index.ts";
import { AutomationDriver } from "./automation.ts";
import type { StackDriver } from "./driver.ts";
import { EmbeddedDriver } from "./embedded.ts";
import { IsolatedDriver } from "./isolated.ts";
import { type Cluster, type FleetList, ListError, readList } from "./list.ts";
import { page } from "./page.ts";
import { Progress } from "./progress.ts";
import { type FleetReport, makeReport } from "./report.ts";
import { defaultParallel, type FleetEvents, runFleet, type StackResult } from "./run.ts";
import { duration } from "./words.ts";

const help = `One operation on the stacks of many clusters, a few at once; no cluster costs another one anything.

Usage: node fleet.mjs up | preview | refresh | destroy | report [OPTIONS]

  up        Makes every cluster what the program says, and renews what is due
  preview   Shows what up would change
  refresh   Reads what the clusters really have into the states
  destroy   Deletes everything that the stacks made; needs --yes
  report    Tells of the states as they were last saved; no cluster is asked

Options:
  -l, --list FILE         The list of clusters (YAML or JSON); default fleet.yaml
  -e, --engine ENGINE     pulumi (Pulumi's Automation API, needs the Pulumi CLI; default) or embedded
  -p, --parallel N        At most N stacks at once; default two for each core, less where memory is short
      --only NAME         Only this cluster; may be given more than once
      --report FILE       Write the report as JSON (- is standard output)
      --page FILE         Write the report as a page to look at (HTML, one file)
      --logs FOLDER       Write a log for each cluster
      --expect-no-changes Exit with status 7 if anything changes, or would
      --expect-valid DAYS Exit with status 3 if a credential has ended or ends within so many days
      --refresh           Before up: read what the clusters really have first, so that drift is healed too
      --policy-pack FOLDER       Ask this policy pack about every resource; may be given more than once
      --secrets-provider URL     Of new stacks, with --engine pulumi
  -y, --yes               Confirms destroy

Ctrl-C at any time: what is under way stops with its state saved, the report is written, and the next run goes on. A second
one ends it at once; that is safe too.

Exit status: 0 all succeeded, 1 a stack failed or timed out, 2 wrong usage or list, 3 a credential ends too soon, 7 unexpected
changes, 130 interrupted. Of several the first in the order 130, 1, 7, 3.
`;

const options = {
  list: { type: "string", short: "l", default: "fleet.yaml" },
  engine: { type: "string", short: "e", default: "pulumi" },
  parallel: { type: "string", short: "p" },
  only: { type: "string", multiple: true, default: [] as string[] },
  report: { type: "string" },
  page: { type: "string" },
  logs: { type: "string" },
  "expect-no-changes": { type: "boolean" },
  "expect-valid": { type: "string" },
  refresh: { type: "boolean", default: false },
  "policy-pack": { type: "string", multiple: true, default: [] as string[] },
  "secrets-provider": { type: "string" },
  yes: { type: "boolean", short: "y" },
  help: { type: "boolean", short: "h" },
} as const;

const all = ["up", "preview", "refresh", "destroy", "report"] as const;
const day = 86_400_000;

class UsageError extends Error {}

async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
  if (values.help || positionals[0] === "help") {
    process.stdout.write(help);
    return 0;
  }
  const operation = all.find((name) => name === positionals[0]);
  if (!operation || positionals.length > 1) throw new UsageError(`it needs one of ${all.join(", ")}`);
  if (operation === "destroy" && !values.yes) throw new UsageError("destroy needs --yes");
  const parallelGiven = values.parallel === undefined ? undefined : number(values.parallel, "--parallel", 1);
  const valid = values["expect-valid"] === undefined ? undefined : number(values["expect-valid"], "--expect-valid", 0);
  const list = narrowed(await readList(values.list), values.only);
  const driver = driverOf(values.engine, values["secrets-provider"]);
  const parallel = parallelGiven ?? list.parallel ?? defaultParallel();

  const { stderr } = process;
  const live = stderr.isTTY === true && !process.env.NO_COLOR;
  const terminal = {
    live,
    columns: stderr.columns || 120,
    rows: stderr.rows || 40,
    write: (text: string) => stderr.write(text),
  };
  const progress = new Progress(list.clusters, operation, terminal);
  await using logs = values.logs === undefined ? undefined : await Logs.open(resolve(values.logs));
  const interruption = interrupting();
  const started = new Date();
  const results = await runFleet(list, driver, {
    operation,
    parallel,
    refreshFirst: values.refresh,
    policyPacks: values["policy-pack"].map((folder) => resolve(folder)),
    signal: interruption,
    events: logs ? logs.beside(progress.events) : progress.events,
  });
  progress.close();
  const interrupted = interruption.aborted;
  const facts = { operation, engine: driver.engine, parallel, started, ended: new Date(), interrupted };
  const report = makeReport(results, facts);
  await write(report, values.report, values.page);
  stderr.write(`${summary(report)}\n`);
  if (interrupted) return 130;
  if (results.some(({ status }) => status !== "succeeded")) return 1;
  if (values["expect-no-changes"] && results.some(({ changes }) => hasChanges(changes))) return 7;
  return valid !== undefined && endingWithin(report, valid).length > 0 ? 3 : 0;
}

function number(text: string, option: string, least: number): number {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : -1;
  if (value < least) throw new UsageError(`${option} is "${text}"; it is a number from ${least} on`);
  return value;
}

function narrowed(list: FleetList, only: readonly string[]): FleetList {
  const unknown = only.find((name) => !list.clusters.some((cluster) => cluster.name === name));
  if (unknown !== undefined) throw new UsageError(`--only ${unknown}: the list has no such cluster`);
  return only.length === 0 ? list : { ...list, clusters: list.clusters.filter(({ name }) => only.includes(name)) };
}

function driverOf(engine: string, secretsProvider: string | undefined): StackDriver {
  const { env } = process;
  if (engine === "pulumi") {
    const options = { env, ...(secretsProvider && { secretsProvider }) };
    return new IsolatedDriver(new AutomationDriver(env, secretsProvider), options);
  }
  if (engine !== "embedded") throw new UsageError(`--engine is "${engine}"; it is pulumi or embedded`);
  if (secretsProvider) throw new UsageError("--secrets-provider: the embedded engine knows passphrases alone");
  return new IsolatedDriver(new EmbeddedDriver(env), { env });
}

/** Aborts at the first Ctrl-C or SIGTERM; the second ends this process, and the stacks' own follow it. */
function interrupting(): AbortSignal {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
    process.stderr.write("\nStopping: what is under way is saved. Once more ends it at once.\n");
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return controller.signal;
}

async function write(report: FleetReport, file: string | undefined, pageFile: string | undefined): Promise<void> {
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  if (file === "-") process.stdout.write(json);
  else if (file !== undefined) await writeFile(file, json);
  if (pageFile !== undefined) await writeFile(pageFile, page(report));
}

function summary(report: FleetReport): string {
  const { stacks, operation, started, ended } = report;
  const good = stacks.filter(({ status }) => status === "succeeded").length;
  const time = operation === "report" ? "" : ` in ${duration((Date.parse(ended) - Date.parse(started)) / 1000)}`;
  const [next] = report.credentials;
  const end = next?.notAfter ? ` Next credential to end: ${next.name} of ${next.cluster}, ${next.notAfter}.` : "";
  return `${operation}: ${good} of ${stacks.length} succeeded${time}.${end}`;
}

function endingWithin({ credentials, ended }: FleetReport, days: number) {
  const limit = Date.parse(ended) + days * day;
  return credentials.filter(({ notAfter }) => notAfter !== "" && Date.parse(notAfter) <= limit);
}

/** A file for each cluster, beside the progress that is shown. */
class Logs implements AsyncDisposable {
  readonly #folder: string;
  readonly #files = new Map<string, WriteStream>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<Logs> {
    await mkdir(folder, { recursive: true });
    return new Logs(folder);
  }

  beside(events: FleetEvents): FleetEvents {
    return {
      ...events,
      started: (cluster) => {
        this.#files.set(cluster.name, createWriteStream(join(this.#folder, `${cluster.name}.log`), { mode: 0o600 }));
        events.started(cluster);
      },
      log: (cluster, line) => this.#line(cluster, line),
      ended: (result) => {
        this.#line(result.cluster, lastLine(result));
        this.#files.get(result.cluster.name)?.end();
        events.ended(result);
      },
    };
  }

  #line({ name }: Cluster, text: string): void {
    this.#files.get(name)?.write(`${new Date().toISOString()} ${text}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#files.values()].filter((file) => !file.closed);
    await Promise.all(open.map((file) => once(file.end(), "close")));
  }
}

function lastLine({ status, error }: StackResult): string {
  return error ? `${status}: ${error.message}` : status;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const code = String((error as { code?: unknown }).code);
  const usage = error instanceof UsageError || code.startsWith("ERR_PARSE_ARGS_");
  process.stderr.write(`fleet: ${(error as Error).message}\n${usage ? "--help tells more.\n" : ""}`);
  process.exitCode = usage || error instanceof ListError ? 2 : 1;
}
