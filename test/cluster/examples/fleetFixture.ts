/** The fleet example on one control plane, for each file of tests that imports this. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { parse, stringify } from "yaml";
import type { StackReport } from "../../../examples/fleet/report.ts";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { fileBackend } from "../../../sandbox/pulumi/home.ts";
import { ensurePulumi } from "../../../sandbox/pulumi/index.ts";
import { adminOf, inventory, type Lodging, lodging } from "../../support/inventory.ts";
import { program, projectFile } from "../../support/project.ts";
import { deleteObjects } from "../../support/pulumi/stackObjects.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

export let admin: KubeClient;
let home: Lodging;
let silent: Server;
export let before: string[];
const connections = new Set<Socket>();

/** Several runs of several stacks, on a busy machine. */
export const timeout = 300_000;

beforeAll(async () => {
  admin = await adminOf(workerKubeconfig());
  home = await lodging(admin);
  // Accepts connections and never answers.
  silent = createServer((socket) => connections.add(socket.on("error", () => {}))).listen(0, "127.0.0.1");
  await once(silent, "listening");
});
beforeEach(async () => {
  before = await inventory(admin);
});
afterAll(async () => {
  for (const socket of connections) socket.destroy();
  silent?.close();
  await home?.[Symbol.asyncDispose]();
  admin?.close();
});

type Settings = Readonly<Record<string, unknown>>;

/** Settings of a stack that shares the sandbox and the namespace with others. */
export const shared = (name: string, more: Settings = {}): Settings => ({
  context: "sandbox",
  serviceAccountName: name,
  ...more,
});

/** The objects of a stack with the token flow, as `added` shows them. */
export const objectsOf = (...names: string[]) =>
  names
    .flatMap((name) => [
      "ClusterRole gateway-token-reviewer-#",
      "ClusterRoleBinding gateway-token-reviewer-#",
      `Secret ${home.shown}/${name}-token`,
      `ServiceAccount ${home.shown}/${name}`,
    ])
    .sort();

/** The example with a list, a project and a backend in a temporary folder. */
export class TestFleet implements AsyncDisposable {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  #clusters: Readonly<Record<string, Settings>> = {};

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.env = env;
  }

  static async make(clusters: Readonly<Record<string, Settings>>, list: object = {}): Promise<TestFleet> {
    const { env } = await ensurePulumi();
    const folder = await mkdtemp(join(tmpdir(), "k8sauth-fleet-"));
    const fleet = new TestFleet(folder, {
      ...env,
      PULUMI_BACKEND_URL: fileBackend(join(folder, "state")),
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
      // The Kubernetes plugin leaves kubeconfigs there.
      TMPDIR: join(folder, "tmp"),
    });
    await mkdir(join(folder, "state"));
    await mkdir(join(folder, "tmp"));
    await writeFile(join(folder, "Pulumi.yaml"), await projectFile());
    await writeFile(join(folder, "kubeconfig"), await contexts(), { mode: 0o600 });
    await fleet.list(clusters, list);
    return fleet;
  }

  async list(clusters: Readonly<Record<string, Settings>>, more: object = {}): Promise<void> {
    this.#clusters = { ...this.#clusters, ...clusters };
    const kubeconfig = join(this.folder, "kubeconfig");
    const defaults = { kubeconfig, allowLoopbackHost: true, ...home.settings };
    const list = { program: ".", stackPrefix: "fleet-", parallel: 2, ...more, defaults, clusters };
    await writeFile(join(this.folder, "fleet.yaml"), stringify(list));
  }

  start(operation: "up" | "preview", flags: readonly string[] = [], onOutput = () => {}): FleetProcess {
    return new FleetProcess(this, [operation, ...flags], onOutput);
  }

  async run(operation: "up" | "preview", ...flags: readonly string[]) {
    const run = this.start(operation, flags);
    const status = await run.end();
    return { status, output: run.output, stacks: await this.stacks() };
  }

  /** The stacks of the last report. */
  async stacks(): Promise<readonly StackReport[]> {
    return JSON.parse(await readFile(join(this.folder, "report.json"), "utf8")).stacks;
  }

  page(): Promise<string> {
    return readFile(join(this.folder, "expiry.html"), "utf8");
  }

  stateFile(cluster: string): string {
    return join(this.folder, "state", ".pulumi", "stacks", "k8sauth", `fleet-${cluster}.json`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of Object.keys(this.#clusters)) {
      await deleteObjects({ stateFile: this.stateFile(name), env: this.env });
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

class FleetProcess {
  readonly child: ChildProcess;
  output = "";
  readonly #ended: Promise<unknown>;

  constructor({ folder, env }: TestFleet, args: readonly string[], onOutput: () => void) {
    const main = join(program, "examples", "fleet", "main.ts");
    const files = ["--list", "fleet.yaml", "--report", "report.json", "--page", "expiry.html"];
    // A process group, as on a terminal.
    this.child = spawn(process.execPath, [main, ...args, ...files], { cwd: folder, env, detached: true });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        onOutput();
      });
    }
    this.#ended = once(this.child, "close");
  }

  async end(): Promise<number | null> {
    await this.#ended;
    return this.child.exitCode;
  }
}

/** The sandbox's kubeconfig with contexts for a server that refuses connections and for one that never answers. */
async function contexts(): Promise<string> {
  const config = parse(await readFile(workerKubeconfig(), "utf8"));
  const [{ cluster }] = config.clusters;
  const { port } = silent.address() as AddressInfo;
  const servers = { sandbox: cluster.server, refused: "https://127.0.0.1:1", silent: `https://127.0.0.1:${port}` };
  const entries = Object.entries(servers);
  return JSON.stringify({
    ...config,
    "current-context": "refused",
    clusters: entries.map(([name, server]) => ({ name, cluster: { ...cluster, server } })),
    contexts: entries.map(([name]) => ({ name, context: { cluster: name, user: config.users[0].name } })),
  });
}

export const statuses = (stacks: readonly StackReport[]) =>
  Object.fromEntries(stacks.map(({ cluster, status }) => [cluster, status]));
