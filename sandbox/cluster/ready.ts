import { readFileSync } from "node:fs";
import { Agent, get } from "node:https";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SandboxError } from "../build/errors.ts";
import { isAlive } from "../build/process.ts";
import type { KeyPair } from "./certificate.ts";
import { type ComponentName, files } from "./plan.ts";
import { knownProcesses } from "./state.ts";

export interface ReadyOptions {
  readonly dir: string;
  readonly server: string;
  readonly controllerManagerPort: number;
  readonly servingCaPem: string;
  readonly admin: KeyPair;
  /** The servers that must run. */
  readonly components: readonly ComponentName[];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Called when a server is ready. */
  readonly onStep?: () => void;
}

/** A request to a server of a sandbox, and the expected answer. */
export interface Check {
  /** Description of the request in errors. */
  readonly what: string;
  readonly url: string;
  /** Whether the body of an answer with status 200 is as expected. @default any body */
  readonly accept?: (body: string) => boolean;
}

/**
 * Waits until the control plane is ready: the API server is ready, the controller manager is healthy, and the ServiceAccount of the default
 * namespace exists, which the controller manager creates after the start of its token controller.
 *
 * @throws SandboxError SANDBOX_COMPONENT_ENDED with the end of its log, SANDBOX_TIMEOUT, SANDBOX_ABORTED
 */
export async function waitUntilReady(options: ReadyOptions): Promise<void> {
  const { server } = options;
  await waitForChecks(options, [
    { what: "kube-apiserver (/readyz)", url: `${server}/readyz` },
    {
      what: "kube-controller-manager (/healthz)",
      url: `https://127.0.0.1:${options.controllerManagerPort}/healthz`,
    },
    {
      what: "the service account controller (ServiceAccount default/default)",
      url: `${server}/api/v1/namespaces/default/serviceaccounts/default`,
    },
  ]);
}

/** Waits until each check in turn has the expected answer. @throws as {@link waitUntilReady} */
export async function waitForChecks(options: ReadyOptions, checks: readonly Check[]): Promise<void> {
  const { admin, servingCaPem } = options;
  const agent = new Agent({ ca: servingCaPem, cert: admin.certPem, key: admin.keyPem, keepAlive: true, maxSockets: 1 });
  const deadline = Date.now() + options.timeoutMs;
  let seen = false;
  try {
    for (const check of checks) {
      while (!(await answers(check, agent))) {
        if (options.signal?.aborted) {
          throw new SandboxError("SANDBOX_ABORTED", "Starting the sandbox was cancelled.");
        }
        seen = checkProcesses(options, seen);
        if (Date.now() > deadline) {
          throw new SandboxError(
            "SANDBOX_TIMEOUT",
            `The sandbox in ${options.dir} was not ready within ${options.timeoutMs / 1000} s: no expected answer from ${check.what}. The machine may lack memory (0.5 GB, or 1 GB with a node) or be busy. Try again.`,
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

function answers({ url, accept }: Check, agent: Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent, timeout: 2000 }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        body += part;
      });
      response.on("close", () => resolve(response.statusCode === 200 && (accept?.(body) ?? true)));
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}

/**
 * Throws if a process of the sandbox has ended. The supervisor reports its children once it has started all of them.
 *
 * @param seen whether the supervisor has reported all children before
 * @returns whether it has now
 */
function checkProcesses({ dir, components }: ReadyOptions, seen: boolean): boolean {
  const { supervisor, children, machine } = knownProcesses(dir);
  const all = components.every((name) => children.has(name));
  for (const name of components) {
    const id = children.get(name);
    if (id ? !isAlive(id) : seen) throw ended(dir, name, join(files.logs, `${name}.log`));
  }
  const parent = machine ? machine.run : supervisor;
  if (parent && !isAlive(parent)) throw ended(dir, "The supervisor", files.supervisorLog);
  return seen || all;
}

function ended(dir: string, who: string, log: string): SandboxError {
  const path = join(dir, log);
  let lines: string[] = [];
  try {
    lines = readFileSync(path, "utf8").trim().split("\n");
  } catch {
    // It may have ended before it wrote a line.
  }
  const tail = lines.slice(-6).map((line) => `\n  ${line.slice(0, 400)}`);
  return new SandboxError(
    "SANDBOX_COMPONENT_ENDED",
    `${who} of the sandbox ended unexpectedly. Last lines of ${path}:${tail.join("") || " (empty)"}`,
  );
}
