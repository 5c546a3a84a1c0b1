import { readFileSync } from "node:fs";
import { Agent, get } from "node:https";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SandboxError } from "./errors.ts";
import type { KeyPair } from "./pki.ts";
import { componentNames, files } from "./plan.ts";
import { isAlive } from "./process.ts";
import { knownProcesses } from "./state.ts";

export interface ReadyOptions {
  readonly dir: string;
  readonly server: string;
  readonly controllerManagerPort: number;
  readonly servingCaPem: string;
  readonly admin: KeyPair;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Called as each server answers. */
  readonly onStep?: () => void;
}

/**
 * Waits until the sandbox can be worked with: the API server is ready, the controller manager is healthy, and the service
 * account of the default namespace is there, which it makes after its token controller has started.
 *
 * @throws SandboxError SANDBOX_COMPONENT_ENDED with the end of its log, SANDBOX_TIMEOUT, SANDBOX_ABORTED
 */
export async function waitUntilReady(options: ReadyOptions): Promise<void> {
  const { admin, servingCaPem, server } = options;
  const agent = new Agent({ ca: servingCaPem, cert: admin.certPem, key: admin.keyPem, keepAlive: true, maxSockets: 1 });
  const checks = [
    { what: "kube-apiserver (/readyz)", url: `${server}/readyz` },
    {
      what: "kube-controller-manager (/healthz)",
      url: `https://127.0.0.1:${options.controllerManagerPort}/healthz`,
    },
    {
      what: "the service account controller (ServiceAccount default/default)",
      url: `${server}/api/v1/namespaces/default/serviceaccounts/default`,
    },
  ];
  const deadline = Date.now() + options.timeoutMs;
  let seen = false;
  try {
    for (const { what, url } of checks) {
      while ((await status(url, agent)) !== 200) {
        if (options.signal?.aborted) {
          throw new SandboxError("SANDBOX_ABORTED", "Starting the sandbox was cancelled; nothing was left behind.");
        }
        seen = checkProcesses(options.dir, seen);
        if (Date.now() > deadline) {
          throw new SandboxError(
            "SANDBOX_TIMEOUT",
            `The sandbox in ${options.dir} did not come up within ${options.timeoutMs / 1000} s: no good answer from ${what}. The machine may be short of memory (about 0.5 GB is needed) or very busy; try again.`,
          );
        }
        await delay(20);
      }
      options.onStep?.();
    }
  } finally {
    agent.destroy();
  }
}

/** Status of an answer, or 0 where there was none in time. */
function status(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const request = get(url, { agent, timeout: 2000 }, (response) => {
      response.resume().on("close", () => resolve(response.statusCode ?? 0));
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(0));
  });
}

/** Throws when a process of the sandbox has ended. The supervisor names its children as soon as all were started. */
function checkProcesses(dir: string, seen: boolean): boolean {
  const { supervisor, children } = knownProcesses(dir);
  const all = componentNames.every((name) => children.has(name));
  for (const name of componentNames) {
    const id = children.get(name);
    if (id ? !isAlive(id) : seen) throw ended(dir, name, join(files.logs, `${name}.log`));
  }
  if (supervisor && !isAlive(supervisor)) throw ended(dir, "The supervisor", files.supervisorLog);
  return seen || all;
}

function ended(dir: string, who: string, log: string): SandboxError {
  const path = join(dir, log);
  let lines: string[] = [];
  try {
    lines = readFileSync(path, "utf8").trim().split("\n");
  } catch {
    // It may have ended before it wrote anything.
  }
  const tail = lines.slice(-6).map((line) => `\n  ${line.slice(0, 400)}`);
  return new SandboxError(
    "SANDBOX_COMPONENT_ENDED",
    `${who} of the sandbox ended while it should run. The end of ${path}:${tail.join("") || " (empty)"}`,
  );
}
