/** A throw-away real Kubernetes on this machine: etcd, API server, controller manager, and a node on request. */
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SandboxError } from "./build/errors.ts";
import { defaultKubernetes, ensureBinary, selectedKubernetes } from "./build/kubernetes.ts";
import { type LockOptions, withLock } from "./build/lock.ts";
import { checkName, stateRoot, storageError } from "./build/paths.ts";
import { type Progress, ProgressMeter } from "./build/progress.ts";
import { type Sandbox, sandboxHandle } from "./cluster/handle.ts";
import { launch } from "./cluster/launch.ts";
import { makePki } from "./cluster/pki.ts";
import {
  inspect,
  readRecord,
  removeSandbox,
  type SandboxRecord,
  type SandboxStatus,
  sandboxDir,
  sandboxNames,
} from "./cluster/state.ts";
import { checkNodeSupport, prepareNode } from "./node/prepare.ts";

export type { BuildOptions } from "./build/build.ts";
export { SandboxError } from "./build/errors.ts";
export {
  defaultKubernetes,
  ensureBinary,
  goVersion,
  isBinaryBuilt,
  type KubernetesVersion,
  kubernetesVersions,
  selectedKubernetes,
} from "./build/kubernetes.ts";
export {
  type Progress,
  progressPrinter,
} from "./build/progress.ts";
export type { KeyPair } from "./cluster/certificate.ts";
export type { Sandbox, SandboxNode } from "./cluster/handle.ts";
export type { SandboxStatus } from "./cluster/state.ts";
export { nodeImage } from "./node/builtinImages.ts";
export type { ImageFile, ImageSpec } from "./node/image.ts";
export { canRunNode, nodeRemedy } from "./node/requirements.ts";

/** The default issuer of kubeadm. */
const clusterIssuer = "https://kubernetes.default.svc.cluster.local";

export interface SandboxOptions {
  /** Name of the sandbox: 1 to 40 lower-case letters, digits and dashes. Several sandboxes can run at once. @default "default" */
  readonly name?: string;
  /**
   * Version of Kubernetes, one of {@link kubernetesVersions}: "1.34" or "1.34.4".
   *
   * @default K8SAUTH_KUBERNETES of `env`, then the version of the running sandbox, then {@link defaultKubernetes}
   */
  readonly kubernetes?: string;
  /**
   * Issuer of ServiceAccount tokens: `cluster` for https://kubernetes.default.svc.cluster.local, `self` for the sandbox's https address, or any
   * other issuer. An issuer that is not an https URL, such as `api`, disables discovery.
   *
   * @default "cluster"
   */
  readonly issuer?: "cluster" | "self" | (string & {});
  /** Audiences of the API server besides the issuer. @default [] */
  readonly apiAudiences?: readonly string[];
  /**
   * If true, a new sandbox starts in a temporary folder. It ends with this process, even if this is killed. If false, the sandbox runs in the
   * background until it is stopped.
   *
   * @default false
   */
  readonly ephemeral?: boolean;
  /**
   * Adds a node, so that pods can run: scheduler, kubelet, kube-proxy, cluster DNS, containerd and images (see {@link SandboxNode}). It has the
   * requirements of {@link canRunNode} and needs about 0.7 GB more memory.
   *
   * @default false
   */
  readonly node?: boolean | NodeOptions;
  readonly onProgress?: (progress: Progress) => void;
  /** HOME, XDG_CACHE_HOME, XDG_STATE_HOME, PATH and the settings of Go. @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** Cancels the start. All its processes and files are removed. */
  readonly signal?: AbortSignal;
}

export interface NodeOptions {
  /** Name of the Node object: a DNS label. @default "node" */
  readonly name?: string;
}

/**
 * Starts a sandbox, or returns the running one of that name. A damaged one is replaced.
 *
 * @throws SandboxError SANDBOX_NAME_INVALID, SANDBOX_OPTION_INVALID, SANDBOX_DIFFERENT if it runs with other settings,
 *   SANDBOX_NODE_UNSUPPORTED if {@link canRunNode} is false for a requested node, SANDBOX_COMPONENT_ENDED, SANDBOX_TIMEOUT, SANDBOX_BUSY,
 *   and those of {@link ensureBinary}
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const name = checkName(options.name ?? "default");
  checkOptions(options);
  const selected = selectedKubernetes(options);
  if (process.platform === "win32") {
    throw new SandboxError(
      "SANDBOX_PLATFORM",
      "The sandbox needs Unix sockets and signals. Run it in WSL, or use another cluster.",
    );
  }
  const nodeName = nodeNameOf(options);
  if (nodeName !== undefined) {
    checkName(nodeName);
    checkNodeSupport();
  }
  const env = options.env ?? process.env;
  if (options.ephemeral) return create(name, options, () => mkdtempSync(join(tmpdir(), "k8sauth-sandbox-")));

  return locked(name, env, options.signal, async (dir) => {
    const found = inspect(name, dir);
    const record = readRecord(dir);
    if (found.condition === "running" && record) {
      checkSameSettings(record, options, selected?.version);
      return sandboxHandle(dir, record, () => stop(name, env));
    }
    await removeSandbox(dir);
    return create(name, options, () => {
      mkdirSync(dir, { mode: 0o700 });
      return dir;
    });
  });
}

/** Stops a sandbox and removes its files; false if there is none of that name. */
export async function stopSandbox(name: string, env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  checkName(name);
  if (inspect(name, sandboxDir(name, env)).condition === "absent") return false;
  await stop(name, env);
  return true;
}

/** Status of a sandbox; `absent` if it was never started. */
export async function sandboxStatus(name: string, env: NodeJS.ProcessEnv = process.env): Promise<SandboxStatus> {
  return inspect(checkName(name), sandboxDir(name, env));
}

/** All sandboxes of this user in the background, by name. */
export async function listSandboxes(env: NodeJS.ProcessEnv = process.env): Promise<SandboxStatus[]> {
  return sandboxNames(env).map((name) => inspect(name, sandboxDir(name, env)));
}

/** A running sandbox. @throws SandboxError SANDBOX_NOT_RUNNING */
export async function openSandbox(name: string, env: NodeJS.ProcessEnv = process.env): Promise<Sandbox> {
  const dir = sandboxDir(checkName(name), env);
  const { condition } = inspect(name, dir);
  const record = readRecord(dir);
  if (condition === "running" && record) return sandboxHandle(dir, record, () => stop(name, env));
  throw new SandboxError(
    "SANDBOX_NOT_RUNNING",
    `The sandbox ${name} is ${condition}: start it with \`k8sauth sandbox start${name === "default" ? "" : ` --name ${name}`}\`.`,
  );
}

async function create(name: string, options: SandboxOptions, makeDir: () => string): Promise<Sandbox> {
  const env = options.env ?? process.env;
  const meter = new ProgressMeter(options.onProgress);
  const [binary, pki] = await Promise.all([ensureBinary(options), makePki()]);
  const nodeName = nodeNameOf(options);
  const node = nodeName === undefined ? undefined : await prepareNode({ ...options, name: nodeName, env }, pki);
  // After the build, so that a killed build leaves no folder.
  const dir = makeFolder(makeDir);
  try {
    const record = await launch({
      name,
      dir,
      binary,
      kubernetes: (selectedKubernetes(options) ?? defaultKubernetes()).version,
      issuer: !options.issuer || options.issuer === "cluster" ? clusterIssuer : options.issuer,
      apiAudiences: options.apiAudiences ?? [],
      ephemeral: options.ephemeral ?? false,
      pki,
      node,
      env,
      meter,
      signal: options.signal,
    });
    return sandboxHandle(dir, record, options.ephemeral ? () => removeSandbox(dir) : () => stop(name, env));
  } catch (error) {
    await removeSandbox(dir);
    throw error;
  } finally {
    meter.close();
  }
}

function makeFolder(makeDir: () => string): string {
  try {
    return makeDir();
  } catch (error) {
    throw storageError("Creating the folder of a sandbox", (error as NodeJS.ErrnoException).path ?? tmpdir(), error);
  }
}

async function stop(name: string, env: NodeJS.ProcessEnv): Promise<void> {
  await locked(name, env, undefined, removeSandbox);
}

/** Prevents concurrent starts and stops of one name, in all processes. */
async function locked<T>(
  name: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
  work: (dir: string) => Promise<T>,
): Promise<T> {
  const root = stateRoot(env);
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw storageError("Creating the folder of the sandboxes", root, error);
  }
  const lock: LockOptions = { timeoutMs: 1_800_000, what: `Starting or stopping the sandbox ${name}`, signal };
  return withLock(join(root, `${name}.lock`), lock, () => work(sandboxDir(name, env)));
}

function checkOptions({ issuer, apiAudiences }: SandboxOptions): void {
  // The API server gets both in a comma-separated list.
  const bad = [issuer ?? "cluster", ...(apiAudiences ?? [])].find((value) => !/^[^\s,]{1,1024}$/.test(value));
  if (bad === undefined) return;
  throw new SandboxError(
    "SANDBOX_OPTION_INVALID",
    `${JSON.stringify(bad)} cannot be an issuer or audience of the sandbox: expected 1 to 1024 characters without blanks and commas.`,
  );
}

function nodeNameOf({ node }: SandboxOptions): string | undefined {
  if (!node) return undefined;
  return (node === true ? undefined : node.name) ?? "node";
}

function checkSameSettings(record: SandboxRecord, options: SandboxOptions, kubernetes: string | undefined): void {
  const { issuer, apiAudiences, node } = options;
  const expectedIssuer = issuer === "cluster" ? clusterIssuer : issuer === "self" ? record.server : issuer;
  const same =
    (expectedIssuer === undefined || expectedIssuer === record.issuer) &&
    (kubernetes === undefined || kubernetes === record.kubernetes) &&
    (node === undefined || nodeNameOf(options) === record.node?.name) &&
    sameSet(apiAudiences, record.apiAudiences);
  if (same) return;
  throw new SandboxError(
    "SANDBOX_DIFFERENT",
    `The sandbox ${record.name} already runs Kubernetes ${record.kubernetes ?? "of another version"} with issuer ${record.issuer} and API audiences [${record.apiAudiences.join(", ")}], ${record.node ? `with the node ${record.node.name}` : "without a node"}. Stop it first, or start another sandbox with a different name.`,
  );
}

function sameSet(expected: readonly string[] | undefined, actual: readonly string[]): boolean {
  return (
    expected === undefined ||
    (new Set([...expected, ...actual]).size === new Set(actual).size && new Set(expected).size === new Set(actual).size)
  );
}
