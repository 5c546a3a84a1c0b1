import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SandboxError } from "../build/errors.ts";
import { isAlive, type ProcessIdentity, signalProcess, waitForEnd } from "../build/process.ts";
import { nodeImage } from "../node/builtinImages.ts";
import { type ImageSource, importImage } from "../node/import.ts";
import { nodeReady } from "../node/ready.ts";
import type { KeyPair } from "./certificate.ts";
import { readAdmin } from "./kubeconfig.ts";
import { type ClientCertificateOptions, issueClientCertificate } from "./pki.ts";
import { type ComponentName, componentNames, files } from "./plan.ts";
import { type ReadyOptions, waitUntilReady } from "./ready.ts";
import { inspect, knownProcesses, type Pids, type SandboxRecord } from "./state.ts";

export { readAdmin } from "./kubeconfig.ts";

/** A server of a running sandbox. Tests make it fail. */
export interface Component {
  readonly name: ComponentName;
  /** Process id; undefined if it does not run. */
  readonly pid: number | undefined;
  /** Kills it (SIGKILL) and waits until it has ended. It does not run until `restart`. */
  kill(): Promise<void>;
  /** Suspends it (SIGSTOP): it accepts connections and does not answer. */
  pause(): void;
  /** Resumes it after `pause`. */
  resume(): void;
  /** Ends it if it runs, starts it, and waits until the whole sandbox is ready. The content of etcd is kept. */
  restart(): Promise<void>;
}

/** The node of a sandbox. Its pods reach each other, services and the API server, and nothing outside. */
export interface SandboxNode {
  /** Name of the Node object. */
  readonly name: string;
  /** Built-in images in the node's store, for `imagePullPolicy: IfNotPresent` or `Never`. The node reaches no registry. */
  readonly images: readonly string[];
  /**
   * Imports an image into the node's store.
   *
   * @throws SandboxError SANDBOX_IMAGE_FAILED
   */
  importImage(source: ImageSource): Promise<void>;
}

/** A running sandbox. */
export interface Sandbox {
  readonly name: string;
  /** Folder of the sandbox, which only its owner can enter. */
  readonly dir: string;
  /** Version of Kubernetes, with its `v`; undefined for a sandbox of an earlier release. */
  readonly kubernetes: string | undefined;
  /** https address of the API server, on the loopback interface. */
  readonly server: string;
  readonly issuer: string;
  /** Audiences of the API server besides the issuer. */
  readonly apiAudiences: readonly string[];
  /** CA of the API server's certificate, PEM. */
  readonly caPem: string;
  /** CA of client certificates, PEM. */
  readonly clientCaPem: string;
  /** Path of a kubeconfig of `kubernetes-admin` with embedded data and mode 0600. */
  readonly kubeconfig: string;
  /** Path of the API server's audit log: one JSON event a line. `auditPolicy` selects the requests. */
  readonly auditLog: string;
  /** Path of the binary with the servers and kubectl (`k8s kubectl …`). */
  readonly binary: string;
  readonly pids: Pids;
  /** The node. Undefined without one. */
  readonly node?: SandboxNode;
  component(name: ComponentName): Component;
  /** Creates a client certificate (RSA 2048) that the API server accepts. */
  issueClientCertificate(options: ClientCertificateOptions): Promise<KeyPair>;
  /** Ends all processes and removes the folder. */
  stop(): Promise<void>;
}

export function sandboxHandle(dir: string, record: SandboxRecord, stop: () => Promise<void>): Sandbox {
  const read = (file: string) => readFileSync(join(dir, file), "utf8");
  const clientCa = { certPem: read(files.clientCa), keyPem: read(files.clientCaKey) };
  const caPem = read(files.servingCa);
  return {
    name: record.name,
    dir,
    kubernetes: record.kubernetes,
    server: record.server,
    issuer: record.issuer,
    apiAudiences: record.apiAudiences,
    caPem,
    clientCaPem: clientCa.certPem,
    kubeconfig: join(dir, files.kubeconfig),
    auditLog: join(dir, files.auditLog),
    binary: record.binary,
    get pids() {
      return inspect(record.name, dir).pids;
    },
    ...(record.node && { node: nodeHandle(dir, record.node.name) }),
    component: (name) => component(dir, record, name),
    issueClientCertificate: (options) => issueClientCertificate(clientCa, options),
    stop,
  };
}

function nodeHandle(dir: string, name: string): SandboxNode {
  return { name, images: [nodeImage], importImage: (source) => importImage(dir, source) };
}

function component(dir: string, record: SandboxRecord, name: ComponentName): Component {
  const components = componentNames(record.node !== undefined);
  if (!components.includes(name)) {
    throw new SandboxError(
      "SANDBOX_COMPONENT_UNKNOWN",
      `A sandbox has no ${JSON.stringify(name)}: expected one of ${components.join(", ")}.`,
    );
  }
  const current = (): ProcessIdentity | undefined => {
    const id = knownProcesses(dir).children.get(name);
    return id && isAlive(id) ? id : undefined;
  };
  const kill = async () => {
    const id = current();
    if (!id) return;
    signalProcess(id, "SIGKILL");
    if (!(await waitForEnd([id], 10_000))) throw timeout(`${name} (pid ${id.pid}) did not end within 10 s of SIGKILL`);
  };
  const signal = (what: NodeJS.Signals) => {
    const id = current();
    if (id) signalProcess(id, what);
  };
  return {
    name,
    get pid() {
      return current()?.pid;
    },
    kill,
    pause: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    async restart() {
      await kill();
      await startAgain(dir, name, current);
      const ready: ReadyOptions = {
        dir,
        server: record.server,
        controllerManagerPort: record.controllerManagerPort,
        servingCaPem: readFileSync(join(dir, files.servingCa), "utf8"),
        admin: readAdmin(join(dir, files.kubeconfig)),
        components,
        timeoutMs: 60_000,
      };
      await waitUntilReady(ready);
      if (record.node) await nodeReady(ready, record.node.name);
    },
  };
}

/** Asks the supervisor repeatedly to start missing processes, because it may not have noticed yet that one has ended. */
async function startAgain(dir: string, name: ComponentName, current: () => ProcessIdentity | undefined): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!current()) {
    const { supervisor } = knownProcesses(dir);
    if (!supervisor || !isAlive(supervisor)) {
      throw new SandboxError(
        "SANDBOX_NOT_RUNNING",
        `${name} cannot be started again: the supervisor of the sandbox in ${dir} does not run. Start the sandbox.`,
      );
    }
    if (Date.now() > deadline) throw timeout(`${name} was not started again within 10 s`);
    signalProcess(supervisor, "SIGHUP");
    await delay(50);
  }
}

function timeout(what: string): SandboxError {
  return new SandboxError("SANDBOX_TIMEOUT", `${what}. Stop the sandbox and start it again.`);
}
