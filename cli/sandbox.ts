import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import {
  defaultKubernetes,
  kubernetesVersions,
  listSandboxes,
  nodeImage,
  openSandbox,
  progressPrinter,
  SandboxError,
  type SandboxStatus,
  sandboxStatus,
  startSandbox,
  stopSandbox,
} from "../sandbox/index.ts";
import type { Command, Io } from "./command.ts";
import { parse, UsageError } from "./usage.ts";

const minors = kubernetesVersions()
  .map(({ minor }) => minor)
  .join(", ");

const help = `A throw-away Kubernetes on this machine, for trials and tests: a real control
plane and, with --node, a node.

Usage
  k8sauth sandbox start [--name NAME] [--kubernetes VERSION] [--node]
                        [--issuer ISSUER] [--api-audience AUDIENCE]...
  k8sauth sandbox stop [--name NAME]
  k8sauth sandbox status [--name NAME] [--json]
  k8sauth sandbox kubeconfig [--name NAME]
  k8sauth sandbox kubectl [--name NAME] -- ARGUMENTS...

  start       Builds Kubernetes on first use (minutes, from Go modules; needs
              Go 1.26), starts the sandbox and prints the path of its
              kubeconfig. A running sandbox stays as it is.
  stop        Stops the sandbox and deletes its data.
  status      Shows the state of the sandbox; without --name, of all sandboxes.
  kubeconfig  Prints the kubeconfig of its administrator. It holds a private
              key.
  kubectl     Runs kubectl against it.

Options
  --name NAME               Name of the sandbox. Several can run at the same
                            time (default: default).
  --kubernetes VERSION      Version of Kubernetes: ${minors}, or
                            one of these in full (default: K8SAUTH_KUBERNETES,
                            or ${defaultKubernetes().minor}). Each is built on first use.
  --node                    With a node, so that pods run in it: needs Linux,
                            root, and the Debian packages containerd, runc,
                            containernetworking-plugins, nftables and conntrack.
                            Its image is ${nodeImage}.
  --issuer ISSUER           Issuer of service account tokens: "cluster"
                            (https://kubernetes.default.svc.cluster.local, the
                            default), "self" (its own https address), or any
                            other value as it is.
  --api-audience AUDIENCE   A further audience of the API server; may be
                            repeated.
  --json                    Prints the status as JSON.

Examples
  k8sauth sandbox start
  export KUBECONFIG=$(k8sauth sandbox start --name blue --issuer self)
  k8sauth sandbox kubectl -- get serviceaccounts --all-namespaces
  k8sauth sandbox stop --name blue
  k8sauth sandbox start --name pods --node
  k8sauth sandbox start --name old --kubernetes 1.34

Exit status
  0  done; for status: the sandbox runs
  1  failed; the message says why and what to do
  2  wrong usage
  3  for status: the sandbox does not run, or one of its processes has exited
  For kubectl: kubectl's own exit status.
`;

/** `k8sauth sandbox`: start, stop and use a local control plane. */
export const sandboxCommand: Command = {
  help,
  async run([action, ...args], io) {
    if (action === undefined) throw new UsageError(`an action is missing: expected ${Object.keys(actions).join(", ")}`);
    const act = Object.hasOwn(actions, action) && actions[action];
    if (!act) throw new UsageError(`there is no action "${action}": expected ${Object.keys(actions).join(", ")}`);
    try {
      return await act(args, io);
    } catch (error) {
      const isWrongOption = error instanceof SandboxError && /^SANDBOX_(NAME|OPTION)_INVALID$/.test(error.code);
      throw isWrongOption ? new UsageError(`${error.message} (${error.code})`) : error;
    }
  },
};

const actions: Readonly<Record<string, Command["run"]>> = { start, stop, status, kubeconfig, kubectl };

async function start(args: readonly string[], io: Io): Promise<number> {
  const { values: given } = parse(args, {
    name: { type: "string" },
    kubernetes: { type: "string" },
    node: { type: "boolean" },
    issuer: { type: "string" },
    "api-audience": { type: "string", multiple: true },
  });
  const printer = progressPrinter(io.err, io.tty, { columns: io.terminal?.columns });
  try {
    const sandbox = await startSandbox({
      name: given.name,
      kubernetes: given.kubernetes,
      node: given.node,
      issuer: given.issuer,
      apiAudiences: given["api-audience"],
      onProgress: printer.onProgress,
      env: io.env,
      signal: io.signal,
    });
    printer.finish();
    const node = sandbox.node ? ` and the node ${sandbox.node.name}` : "";
    io.err(
      `The sandbox ${sandbox.name} runs Kubernetes${sandbox.kubernetes ? ` ${sandbox.kubernetes}` : ""} at ${sandbox.server} with issuer ${sandbox.issuer}${node}. Its kubeconfig:\n`,
    );
    io.out(`${sandbox.kubeconfig}\n`);
    return 0;
  } finally {
    printer.finish();
  }
}

async function stop(args: readonly string[], io: Io): Promise<number> {
  const { name = "default" } = parse(args, { name: { type: "string" } }).values;
  const stopped = await stopSandbox(name, io.env);
  io.err(
    stopped ? `The sandbox ${name} was stopped and removed.\n` : `There is no sandbox ${name}: nothing to stop.\n`,
  );
  return 0;
}

async function status(args: readonly string[], io: Io): Promise<number> {
  const { name, json } = parse(args, { name: { type: "string" }, json: { type: "boolean" } }).values;
  const all = name === undefined ? await listSandboxes(io.env) : [await sandboxStatus(name, io.env)];
  if (json) io.out(`${JSON.stringify(name === undefined ? all : all[0], null, 2)}\n`);
  else io.out(all.length === 0 ? "No sandbox runs.\n" : all.map(describe).join(""));
  return all.length > 0 && all.every(({ condition }) => condition === "running") ? 0 : 3;
}

function describe({
  name,
  condition,
  kubernetes,
  server,
  issuer,
  apiAudiences,
  kubeconfig,
  node,
  pids,
}: SandboxStatus): string {
  const rows: [string, string | undefined][] = [
    ["kubernetes", kubernetes],
    ["server", server],
    ["issuer", issuer],
    ["audiences", apiAudiences?.join(", ")],
    ["node", node],
    ["kubeconfig", kubeconfig],
    [
      "processes",
      Object.entries(pids)
        .map(([who, pid]) => `${who} ${pid}`)
        .join(", "),
    ],
  ];
  const lines = rows.filter(([, value]) => value).map(([key, value]) => `  ${key.padEnd(11)}${value}\n`);
  return `${name}: ${condition}\n${lines.join("")}`;
}

async function kubeconfig(args: readonly string[], io: Io): Promise<number> {
  const { name = "default" } = parse(args, { name: { type: "string" } }).values;
  io.out(readFileSync((await openSandbox(name, io.env)).kubeconfig, "utf8"));
  return 0;
}

async function kubectl(args: readonly string[], io: Io): Promise<number> {
  const at = args.indexOf("--");
  const { name = "default" } = parse(at < 0 ? args : args.slice(0, at), { name: { type: "string" } }).values;
  const sandbox = await openSandbox(name, io.env);
  const child = spawn(sandbox.binary, ["kubectl", ...(at < 0 ? [] : args.slice(at + 1))], {
    stdio: "inherit",
    env: { ...io.env, KUBECONFIG: sandbox.kubeconfig },
  });
  const forward = () => child.kill("SIGTERM");
  io.signal.addEventListener("abort", forward);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      io.signal.removeEventListener("abort", forward);
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}
