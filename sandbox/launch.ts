import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { SandboxError } from "./errors.ts";
import { adminKubeconfig } from "./handle.ts";
import { storageError } from "./paths.ts";
import type { SandboxPki } from "./pki.ts";
import { controlPlanePlan, files, serverUrl } from "./plan.ts";
import { identify } from "./process.ts";
import type { ProgressMeter } from "./progress.ts";
import { waitUntilReady } from "./ready.ts";
import { removeSandbox, type SandboxRecord, writeRecord } from "./state.ts";

export interface LaunchOptions {
  readonly name: string;
  /** Exists, is empty and can be entered by its owner alone. */
  readonly dir: string;
  readonly binary: string;
  readonly issuer: string;
  readonly apiAudiences: readonly string[];
  readonly ephemeral: boolean;
  readonly pki: SandboxPki;
  readonly env: NodeJS.ProcessEnv;
  readonly meter: ProgressMeter;
  readonly signal?: AbortSignal;
}

const readyTimeoutMs = 90_000;
const portAttempts = 3;

/**
 * Starts a control plane in a folder and waits until it is ready. On failure nothing is left but the folder's absence. Ports are
 * chosen by the kernel; when another process takes one before a server listens on it, the start is repeated.
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
    issuer,
    apiAudiences: options.apiAudiences,
    server,
    controllerManagerPort,
    binary: options.binary,
  } as const;
  const processes = controlPlanePlan({
    issuer,
    apiAudiences: options.apiAudiences,
    apiserverPort,
    controllerManagerPort,
  });
  try {
    writePki(dir, pki);
    write(dir, files.kubeconfig, adminKubeconfig(name, server, pki.servingCa.certPem, pki.admin));
    write(dir, files.plan, JSON.stringify({ processes }, null, 2));
    writeRecord(dir, { ...base, ready: false });
  } catch (error) {
    throw storageError("Writing the sandbox's files", dir, error);
  }

  meter.begin("start", 3);
  const supervisor = spawnSupervisor(options);
  const id = await supervisor.spawned;
  writeRecord(dir, { ...base, supervisor: id, ready: false });
  await waitUntilReady({
    dir,
    server,
    controllerManagerPort,
    servingCaPem: pki.servingCa.certPem,
    admin: pki.admin,
    timeoutMs: readyTimeoutMs,
    signal: options.signal,
    onStep: () => meter.step(),
  });
  const record: SandboxRecord = { ...base, supervisor: id, ready: true };
  writeRecord(dir, record);
  if (!options.ephemeral) await supervisor.commit();
  return record;
}

/**
 * Starts the supervisor in a session of its own. It lives while its standard input is open, and for good once it has read a byte
 * from it: until `commit` a sandbox dies with this process, however this process ends.
 */
function spawnSupervisor({ binary, dir, env }: LaunchOptions) {
  const log = openSync(join(dir, files.supervisorLog), "a", 0o600);
  // The folder is the working directory, and so stays the same one even if another takes its name. The rest of the
  // environment stays here: a process in the background has no use for what may be secrets.
  const child = spawn(binary, ["supervise", "--dir", "."], {
    cwd: dir,
    detached: true,
    stdio: ["pipe", log, log],
    env: Object.fromEntries(["PATH", "HOME", "TMPDIR", "TZ"].flatMap((key) => (env[key] ? [[key, env[key]]] : []))),
  });
  closeSync(log);
  child.unref();
  const input = child.stdin as Socket;
  input.unref();
  input.on("error", () => {}); // it has ended: waitUntilReady says so
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

/** Two free ports of the loopback interface, held at the same time so that they differ. */
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
                  "No port of 127.0.0.1 could be had: is the loopback interface up?",
                ),
              );
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports as [number, number];
}
