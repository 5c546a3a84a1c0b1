import { resolve } from "node:path";
import {
  openBackend,
  openStack,
  type Properties,
  stackOutputs,
  stateFolder,
  update,
  type Value,
  withoutSecrets,
} from "../engine/index.ts";
import { loadProject } from "../engine/project.ts";
import { maskSecretFields } from "../gateways/index.ts";
import { KubeClient, loadConnection } from "../kube/index.ts";
import { progressPrinter, sandboxStatus, startSandbox } from "../sandbox/index.ts";
import { check, printFindings } from "./check.ts";
import type { Command, Io } from "./command.ts";
import { Display, summarize } from "./display.ts";
import { printOutputs } from "./output.ts";
import { projectFolder } from "./stack.ts";
import { parse } from "./usage.ts";

const stackName = "sandbox";

export const startCommand: Command = {
  name: "start",
  summary: "Show everything: a sandbox cluster, the stack in it, its outputs, and the proof that they work",
  help: `Show everything once: start a sandbox (a real Kubernetes control plane, built on first use), provision the stack
"${stackName}" in it, print its outputs with the secrets masked, and prove by calls that they work.

Usage: npm start [-- OPTIONS]
       k8sauth start [OPTIONS]

Options:
      --kubeconfig FILE   Use the cluster of a kubeconfig instead of a sandbox; the stack is then called "start"
      --context NAME      Its context
      --allow-loopback    Accept a cluster that only this machine reaches (kind, minikube)
      --token-only        Without the certificate flow (EKS signs no client certificates)

Exit status: 0 all holds, 1 something failed, 2 wrong usage.
`,
  async run(args, io) {
    const options = {
      kubeconfig: { type: "string" },
      context: { type: "string" },
      "allow-loopback": { type: "boolean" },
      "token-only": { type: "boolean" },
    } as const;
    const { values } = parse(args, options);
    const target =
      values.kubeconfig === undefined ? await sandbox(io) : { kubeconfig: resolve(values.kubeconfig), fresh: false };
    const stack = values.kubeconfig === undefined ? stackName : "start";
    return demonstrate(
      {
        ...target,
        stack,
        context: values.context,
        sandboxed: values.kubeconfig === undefined,
        certificate: values["token-only"] !== true,
        loopback: values.kubeconfig === undefined || values["allow-loopback"] === true,
      },
      io,
    );
  },
};

interface Target {
  readonly kubeconfig: string;
  readonly context: string | undefined;
  readonly stack: string;
  readonly sandboxed: boolean;
  readonly loopback: boolean;
  /** Whether to show the certificate flow too; not every cluster signs certificates. */
  readonly certificate: boolean;
  /** A new sandbox: what the stack made in an earlier one is gone with it. */
  readonly fresh: boolean;
}

async function sandbox(io: Io): Promise<{ kubeconfig: string; fresh: boolean }> {
  heading(io, "1. A real Kubernetes control plane on this machine");
  const before = await sandboxStatus("default", io.env);
  const printer = progressPrinter(io.err, io.tty);
  const started = await startSandbox({ env: io.env, signal: io.signal, onProgress: printer.onProgress });
  printer.finish();
  const version = await serverVersion(started.kubeconfig, io);
  io.out(`  API server ${version} at ${started.server}\n`);
  return { kubeconfig: started.kubeconfig, fresh: before.condition !== "running" };
}

async function serverVersion(kubeconfig: string, io: Io): Promise<string> {
  using client = new KubeClient(await loadConnection({ kubeconfig }, io.env));
  return (await client.get<{ gitVersion: string }>("/version")).gitVersion;
}

async function demonstrate(target: Target, io: Io): Promise<number> {
  const folder = projectFolder(undefined);
  const display = new Display(io, false);
  const chosen = { folder, stack: target.stack, env: io.env, emit: display.emit, signal: io.signal };
  if (target.fresh) {
    const { name } = await loadProject(folder);
    await openBackend(io.env, () => stateFolder(io.env)).remove({ project: name, stack: target.stack });
  }
  const { settings, project } = await openStack(chosen);
  const set = (key: string, value: string | boolean) => settings.setConfig(`${project.name}:${key}`, value);
  set("kubeconfig", target.kubeconfig);
  if (target.context) set("context", target.context);
  if (target.loopback) set("allowLoopbackHost", true);
  set("certificateFlow", target.certificate);
  await settings.save();

  heading(io, `2. The program of this repository, as the stack "${target.stack}"`);
  const started = performance.now();
  const { changes, outputs } = await update({ ...chosen, preview: false });
  display.close(`  Done in ${((performance.now() - started) / 1000).toFixed(1)} s: ${summarize(changes)}.`);

  heading(io, "3. Its outputs, secrets masked");
  const stored = await stackOutputs(chosen);
  const { authConfigs, clusterAccess, ...others } = outputs;
  printOutputs({ ...others, ...open({ authConfigs, clusterAccess }) }, io, { showSecrets: false });

  heading(io, "4. Proof, by calls with the credentials of the outputs");
  using deployer = new KubeClient(
    await loadConnection({ kubeconfig: target.kubeconfig, context: target.context }, io.env),
  );
  const { findings, expiries } = await check(stored, deployer);
  printFindings(findings, expiries, io);
  const failed = findings.filter((finding) => !finding.holds).length;
  io.out(summary(target, failed));
  return failed > 0 ? 1 : 0;
}

/** Auth configs are secret as a whole; to show what they are like, only what is secret in them is masked. */
function open(outputs: Properties): Properties {
  return shortenPem(maskSecretFields(withoutSecrets(outputs as Value)) as Value) as Properties;
}

/** Certificates by their first line: whole they would fill the screen and say no more. */
function shortenPem(value: Value): Value {
  if (typeof value === "string") return value.startsWith("-----BEGIN ") ? `${value.split("\n")[0]} …` : value;
  if (Array.isArray(value)) return value.map(shortenPem);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shortenPem(item ?? null)]));
}

function heading(io: Io, text: string): void {
  io.out(`\n${text}\n`);
}

function summary({ stack, sandboxed }: Target, failed: number): string {
  const verdict =
    failed > 0
      ? `${failed} of the claims above do not hold.`
      : `A gateway outside this cluster can now tell which workload calls it: it asks the API server, with a token
or a certificate that can do nothing else.`;
  return `
${verdict}

Go on from here:
  npx k8sauth output --show-secrets --stack ${stack}     the auth configs, ready for the gateway
  npx k8sauth up --stack ${stack}                        again: nothing changes
  npx k8sauth check --stack ${stack}                     prove the credentials again
  npx k8sauth destroy --stack ${stack}                   take everything away
${sandboxed ? "  npx k8sauth sandbox stop                               end the sandbox\n" : ""}
On a cluster of your own: README.md, "On your own cluster" (with k8sauth, or with \`pulumi up\`).
`;
}
