import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { SandboxError } from "../build/errors.ts";
import { storageError } from "../build/paths.ts";
import { identify } from "../build/process.ts";
import type { ProgressMeter } from "../build/progress.ts";
import { containerdListens, importImage } from "../node/import.ts";
import { machineArgs } from "../node/machine.ts";
import { clusterJwksUri, nodeApiserverArgs, nodePlan } from "../node/plan.ts";
import { type NodeParts, nodeSetup } from "../node/prepare.ts";
import { nodeReady } from "../node/ready.ts";
import { auditPolicy } from "./audit.ts";
import { kubeconfigText } from "./kubeconfig.ts";
import type { SandboxPki } from "./pki.ts";
import { componentNames, controlPlanePlan, files, type PlannedProcess, serverUrl } from "./plan.ts";
import { type ReadyOptions, waitUntilReady } from "./ready.ts";
import { removeSandbox, type SandboxRecord, writeRecord } from "./state.ts";

export interface LaunchOptions {
  readonly name: string;
  /** An empty folder that only its owner can enter. */
  readonly dir: string;
  readonly binary: string;
  /** Version of the binary's Kubernetes, with its `v`. */
  readonly kubernetes: string;
  readonly issuer: string;
  readonly apiAudiences: readonly string[];
  readonly ephemeral: boolean;
  readonly pki: SandboxPki;
  /** Set for a sandbox with a node. */
  readonly node?: NodeParts;
  readonly env: NodeJS.ProcessEnv;
  readonly meter: ProgressMeter;
  readonly signal?: AbortSignal;
}

const readyTimeoutMs = 90_000;
const portAttempts = 3;

/**
 * Starts a control plane in a folder and waits until it is ready. Deletes the folder after a failure. The kernel chooses the ports. If another
 * process takes one before a server listens on it, the start is repeated.
 */
export async function launch(options: LaunchOptions): Promise<SandboxRecord> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launchOnce(options);
    } catch (error) {
      await removeSandbox(options.dir);
      const clash = error instanceof Error && /address already in use/.test(error.message);
      if (!clash || attempt === portAttempts) throw error;
      mkdirSync(options.dir, { mode: 0o700 });
    }
  }
}

async function launchOnce(options: LaunchOptions): Promise<SandboxRecord> {
  const { dir, meter, name, pki } = options;
  const [apiserverPort, controllerManagerPort] = await freePorts();
  const server = serverUrl(apiserverPort);
  const issuer = options.issuer === "self" ? server : options.issuer;
  const base = {
    version: 1,
    name,
    kubernetes: options.kubernetes,
    issuer,
    apiAudiences: options.apiAudiences,
    server,
    controllerManagerPort,
    binary: options.binary,
    ...(options.node && { node: { name: options.node.name, cgroup: options.node.cgroup } }),
  } as const;
  try {
    writePki(dir, pki);
    write(dir, files.kubeconfig, kubeconfigText(name, server, pki.servingCa.certPem, "admin", pki.admin));
    write(dir, files.auditPolicy, JSON.stringify(auditPolicy, null, 2));
    const processes = plan({ ...options, issuer }, server, apiserverPort, controllerManagerPort);
    write(dir, files.plan, JSON.stringify({ processes }, null, 2));
    writeRecord(dir, { ...base, ready: false });
  } catch (error) {
    throw storageError("Writing the sandbox's files", dir, error);
  }

  meter.begin("start", 3 + (options.node ? options.node.archives.length + 2 : 0));
  const supervisor = spawnSupervisor(options, [apiserverPort, controllerManagerPort]);
  const id = await supervisor.spawned;
  writeRecord(dir, { ...base, supervisor: id, ready: false });
  const ready: ReadyOptions = {
    dir,
    server,
    controllerManagerPort,
    servingCaPem: pki.servingCa.certPem,
    admin: pki.admin,
    components: componentNames(options.node !== undefined),
    timeoutMs: readyTimeoutMs,
    signal: options.signal,
    onStep: () => meter.step(),
  };
  await (options.node ? nodeUntilReady(options.node, ready) : waitUntilReady(ready));
  const record: SandboxRecord = { ...base, supervisor: id, ready: true };
  writeRecord(dir, record);
  if (!options.ephemeral) await supervisor.commit();
  return record;
}

function plan(
  { dir, name, issuer, apiAudiences, pki, node }: LaunchOptions,
  server: string,
  apiserverPort: number,
  controllerManagerPort: number,
): readonly PlannedProcess[] {
  const input = { issuer, apiAudiences, apiserverPort, controllerManagerPort };
  if (!node) return controlPlanePlan(input);
  const setup = nodeSetup({ dir, sandboxName: name, server, apiserverPort, pki, parts: node });
  for (const [file, text] of Object.entries(setup.texts)) write(dir, file, text);
  // The default is a URL of this machine, which pods do not reach.
  const jwksUri = issuer === server ? undefined : clusterJwksUri;
  return [...controlPlanePlan({ ...input, jwksUri, apiserverArgs: nodeApiserverArgs() }), ...nodePlan(setup.plan)];
}

async function nodeUntilReady(node: NodeParts, ready: ReadyOptions): Promise<void> {
  const cancel = new AbortController();
  const signals = [cancel.signal, ...(ready.signal ? [ready.signal] : [])];
  const images = importAll(node.archives, { ...ready, signal: AbortSignal.any(signals) });
  images.catch(() => {}); // Awaited below.
  try {
    await waitUntilReady(ready);
    await images;
    await nodeReady(ready, node.name);
  } finally {
    cancel.abort();
  }
}

/** Imports the built-in images into the node's store while the control plane starts. */
async function importAll(archives: readonly string[], { dir, signal, timeoutMs, onStep }: ReadyOptions): Promise<void> {
  await containerdListens(dir, timeoutMs, signal);
  for (const archive of archives) {
    await importImage(dir, { archive }, signal);
    onStep?.();
  }
}

/**
 * Starts the supervisor in a new session. It runs while its standard input is open, and permanently after it has read a byte from it. Until
 * `commit`, the sandbox therefore ends with this process, even if that is killed.
 */
function spawnSupervisor({ binary, dir, env, node }: LaunchOptions, ports: readonly number[]) {
  const log = openSync(join(dir, files.supervisorLog), "a", 0o600);
  // The working directory stays the same folder even if another folder gets its name. Of the environment, the supervisor gets only the variables
  // below, because others may contain secrets.
  const supervise = ["supervise", "--dir", "."];
  const [program, args] = node
    ? [
        node.machine,
        machineArgs({
          cgroup: node.cgroup,
          nodeName: node.name,
          ports,
          binaries: { k8s: binary, dns: node.dns },
          command: ["k8s", ...supervise],
        }),
      ]
    : [binary, supervise];
  const child = spawn(program, args, {
    cwd: dir,
    detached: true,
    stdio: ["pipe", log, log],
    env: Object.fromEntries(["PATH", "HOME", "TMPDIR", "TZ"].flatMap((key) => (env[key] ? [[key, env[key]]] : []))),
  });
  closeSync(log);
  child.unref();
  const input = child.stdin as Socket;
  input.unref();
  input.on("error", () => {}); // The supervisor has ended, which waitUntilReady reports.
  const spawned = new Promise<ReturnType<typeof identify>>((resolve, reject) => {
    child.on("spawn", () => resolve(identify(child.pid ?? 0)));
    child.on("error", (cause) => reject(storageError("Starting the sandbox's supervisor", binary, cause)));
  });
  const commit = () => new Promise<void>((resolve) => input.end("\n", () => resolve()));
  return { spawned, commit };
}

function writePki(dir: string, pki: SandboxPki): void {
  mkdirSync(join(dir, "pki"), { mode: 0o700 });
  write(dir, files.servingCa, pki.servingCa.certPem);
  write(dir, files.clientCa, pki.clientCa.certPem);
  write(dir, files.clientCaKey, pki.clientCa.keyPem);
  write(dir, files.serving, pki.serving.certPem);
  write(dir, files.servingKey, pki.serving.keyPem);
  write(dir, files.serviceAccountKey, pki.serviceAccountKeyPem);
  write(dir, files.serviceAccountPublic, pki.serviceAccountPublicPem);
}

function write(dir: string, file: string, text: string): void {
  writeFileSync(join(dir, file), text, { mode: 0o600 });
}

/** Two different free ports of the loopback interface. */
async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()] as const;
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.on("error", reject);
          server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            if (address && typeof address === "object") resolve(address.port);
            else
              reject(
                new SandboxError(
                  "SANDBOX_PLATFORM",
                  "127.0.0.1 has no free port. Check that the loopback interface is up.",
                ),
              );
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports as [number, number];
}
