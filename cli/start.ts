import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { AkeylessTestGateway } from "../demo/akeyless/index.ts";
import { VaultAuth } from "../demo/gateways/vault/index.ts";
import { type GatewayOutputs, Gateways } from "../demo/logins.ts";
import { checkVerifier } from "../demo/verifierCalls.ts";
import { createWorkloads } from "../demo/workloads/index.ts";
import {
  accounts,
  audiences,
  demoNamespace,
  type ProjectedToken,
  type WorkloadOutputs,
} from "../demo/workloads/scenario.ts";
import { maskSecretFields } from "../gateways/index.ts";
import type { Finding } from "../kubernetes/finding.ts";
import { KubeClient, loadConnection } from "../kubernetes/index.ts";
import { withLock } from "../sandbox/build/lock.ts";
import { stateHome } from "../sandbox/build/paths.ts";
import { canRunNode, nodeImage, progressPrinter, type Sandbox, sandboxStatus, startSandbox } from "../sandbox/index.ts";
import { check } from "./check.ts";
import type { Command, Io } from "./command.ts";
import { printOutputs } from "./outputs.ts";
import { preparePulumi, runPulumi } from "./pulumi.ts";
import { formatExpiries, formatFindings } from "./report.ts";
import { type Outputs, ownProjectFolder, Stack } from "./stack.ts";
import { parse } from "./usage.ts";

const stackName = "sandbox";

export const startCommand: Command = {
  name: "start",
  summary: "Show everything: a sandbox cluster, the stack in it, its outputs, and the proof that they work",
  help: `Show everything once: start a sandbox (a real Kubernetes, built on first use; with a node on which pods run where this
machine can have one), provision the stack "${stackName}" in it, print its outputs with the secrets masked, and prove by calls that
they work: gateways log a workload in, the verifier tells services who calls them.

Usage: npm start [-- OPTIONS]
       k8sauth start [OPTIONS]

Options:
      --kubeconfig FILE   Use the cluster of a kubeconfig instead of a sandbox; the stack is then called "start"
      --context NAME      Its context; the current one by default
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
    return alone(io, () => start(values, io));
  },
};

/** Runs one demonstration of a user at a time: they share a sandbox and a stack. */
async function alone<T>(io: Io, work: () => Promise<T>): Promise<T> {
  const state = stateHome(io.env);
  mkdirSync(state, { recursive: true, mode: 0o700 });
  let noticed = false;
  const onWait = ({ pid }: { readonly pid: number }) => {
    if (!noticed) io.err(`Waiting for another \`k8sauth start\` (pid ${pid}) to end.\n`);
    noticed = true;
  };
  const lock = { timeoutMs: 1_800_000, what: "k8sauth start", signal: io.signal, onWait };
  return withLock(join(state, "start.lock"), lock, work);
}

interface StartOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly "allow-loopback"?: boolean;
  readonly "token-only"?: boolean;
}

async function start(options: StartOptions, io: Io): Promise<number> {
  const certificate = options["token-only"] !== true;
  const { context } = options;
  if (options.kubeconfig !== undefined) {
    const kubeconfig = resolve(options.kubeconfig);
    const loopback = options["allow-loopback"] === true;
    return demonstrate({ kubeconfig, context, stack: "start", certificate, loopback }, io);
  }
  const { sandbox, fresh } = await startedSandbox(io);
  const printer = progressPrinter(io.err, io.tty);
  const build = { env: io.env, signal: io.signal, onProgress: printer.onProgress };
  const vault = await VaultAuth.start(build).finally(() => printer.finish());
  await using gateways = new Gateways(await AkeylessTestGateway.start(), vault);
  const { kubeconfig } = sandbox;
  return await demonstrate(
    { kubeconfig, context, stack: stackName, certificate, loopback: true, sandbox: { sandbox, fresh, gateways } },
    io,
  );
}

interface Target {
  readonly kubeconfig: string;
  readonly context: string | undefined;
  readonly stack: string;
  readonly loopback: boolean;
  /** Whether to show the certificate flow too; not every cluster signs certificates. */
  readonly certificate: boolean;
  /** Absent on a cluster of the user's own: there no workloads are made. */
  readonly sandbox?: {
    readonly sandbox: Sandbox;
    /** A new one: what the stack made in an earlier one is gone with it. */
    readonly fresh: boolean;
    readonly gateways: Gateways;
  };
}

async function startedSandbox(io: Io): Promise<{ sandbox: Sandbox; fresh: boolean }> {
  heading(io, "1. A real Kubernetes on this machine");
  const before = await sandboxStatus("default", io.env);
  const fresh = before.condition !== "running";
  const support = canRunNode();
  const printer = progressPrinter(io.err, io.tty);
  const onProgress = printer.onProgress;
  // One that runs is used as it is.
  const node = fresh ? { node: support.ok } : {};
  const sandbox = await startSandbox({ env: io.env, signal: io.signal, onProgress, ...node });
  printer.finish();
  const version = await serverVersion(sandbox.kubeconfig, io);
  io.out(`  API server ${version} at ${sandbox.server}\n`);
  if (sandbox.node) io.out("  A node on which pods run\n");
  else {
    const why = support.ok ? "the sandbox was started without one" : `missing here: ${support.missing.join(", ")}`;
    io.out(`  No node (${why}): the verifier and its callers run as processes\n`);
  }
  return { sandbox, fresh };
}

async function serverVersion(kubeconfig: string, io: Io): Promise<string> {
  using client = new KubeClient(await loadConnection({ kubeconfig }, io.env));
  return (await client.get<{ gitVersion: string }>("/version")).gitVersion;
}

async function demonstrate(target: Target, io: Io): Promise<number> {
  heading(io, "2. Pulumi");
  const pulumi = await preparePulumi(io);
  io.out(`  ${pulumi.built ? "Built from Go modules" : "Found"}: ${pulumi.command}\n`);
  const folder = ownProjectFolder();
  const stack = new Stack(pulumi, target.stack, folder);
  if (target.sandbox?.fresh) await forget(stack);
  await stack.run(["stack", "select", "--create"]);
  await configure(target, stack, io);

  heading(io, `3. The program of this repository, as the stack "${target.stack}"`);
  const flags = ["--stack", target.stack, "--cwd", folder, "--yes", "--skip-preview", "--suppress-outputs"];
  if (!process.stdout.isTTY) flags.push("--suppress-progress", "--color", "never");
  const status = await runPulumi(pulumi, ["up", ...flags], io);
  if (status !== 0) return io.signal.aborted ? 130 : 1;

  heading(io, "4. Its outputs, secrets masked");
  const outputs = await stack.outputs();
  printOutputs(maskSecretFields(outputs) as Outputs, io);

  heading(io, "5. Proof, by calls with the credentials of the outputs");
  using deployer = new KubeClient(
    await loadConnection({ kubeconfig: target.kubeconfig, context: target.context }, io.env),
  );
  const { findings, expiries } = await check(outputs, deployer);
  io.out(`${formatFindings(findings, io.terminal)}${formatExpiries(expiries, new Date(), io.terminal)}`);
  const shown = [...findings, ...(await showWorkloads(target, outputs, deployer, io))];
  const failed = shown.filter((finding) => !finding.holds).length;
  io.out(summary(target, folder, failed));
  return failed > 0 ? 1 : 0;
}

/** Removes the stack of an earlier sandbox, whose objects are gone with it. */
async function forget(stack: Stack): Promise<void> {
  await stack.run(["stack", "rm", "--force", "--yes", "--preserve-config"]).catch((error: Error) => {
    if (!/no stack named/.test(error.message)) throw error;
  });
}

/** Writes the stack's settings. */
async function configure({ sandbox, ...target }: Target, stack: Stack, io: Io): Promise<void> {
  const { kubeconfig } = target;
  const { context } = await loadConnection({ kubeconfig, context: target.context }, io.env);
  const plain: Record<string, string | boolean> = {
    kubeconfig,
    context,
    certificateFlow: target.certificate,
    ...(target.loopback && { allowLoopbackHost: true }),
  };
  if (sandbox) {
    const { accessId, signingKey, gatewayUrl } = await sandbox.gateways.akeylessAccess();
    Object.assign(plain, {
      akeylessAccessId: accessId,
      akeylessGatewayUrl: gatewayUrl,
      verifier: sandbox.sandbox.node !== undefined,
      "verifierAudiences[0]": audiences.own,
      "verifierAllow[0]": `${demoNamespace}/${accounts.caller}`,
      verifierImage: nodeImage,
    });
    await stack.run(["config", "set", "--secret", "akeylessSigningKey"], signingKey);
  }
  const settings = Object.entries(plain).flatMap(([key, value]) => ["--plaintext", `k8sauth:${key}=${value}`]);
  await stack.run(["config", "set-all", "--path", ...settings]);
}

/** Workloads that come to the gateways and to the verifier with nothing but the stack's outputs. */
async function showWorkloads(
  { sandbox: target }: Target,
  stored: Outputs,
  deployer: KubeClient,
  io: Io,
): Promise<Finding[]> {
  if (!target) return [];
  const outputs = stored as unknown as GatewayOutputs & {
    readonly clusterAccess: WorkloadOutputs["access"];
    readonly workloadLogin: { readonly token: ProjectedToken };
    readonly verifier?: WorkloadOutputs["verifier"];
  };
  const { clusterAccess: access, workloadLogin, verifier } = outputs;
  heading(io, "6. Gateways that take the auth configs, and a workload that logs in with its own token");
  const from = { access, gatewayToken: workloadLogin.token, ...(verifier && { verifier }) };
  await using workloads = await createWorkloads(from, deployer, target.sandbox, io.signal);
  const logins = await target.gateways.logIn(outputs, workloads);
  io.out(formatFindings(logins, io.terminal));
  heading(io, "7. The verifier, asked by a service that wants to know who calls it");
  const answers = await checkVerifier(workloads);
  io.out(formatFindings(answers, io.terminal));
  return [...logins, ...answers];
}

function heading(io: Io, text: string): void {
  io.out(`\n${text}\n`);
}

function summary({ stack, sandbox }: Target, folder: string, failed: number): string {
  const verdict =
    failed > 0
      ? `${failed} of the claims above do not hold.`
      : `A gateway outside this cluster can now tell which workload calls it: it asks the API server, with a token
or a certificate that can do nothing else.`;
  const flags = `--stack ${stack}${folder === process.cwd() ? "" : ` --cwd ${folder}`}`;
  const commands = [
    [`pulumi stack output --show-secrets ${flags}`, "the auth configs, ready for the gateway"],
    [`pulumi up ${flags}`, "again: nothing changes"],
    [`check ${flags}`, "prove the credentials again"],
    [`pulumi destroy ${flags}`, "delete everything"],
    ...(sandbox ? [["sandbox stop", "end the sandbox"]] : []),
  ] as const;
  const width = Math.max(...commands.map(([command]) => command.length));
  const lines = commands.map(([command, what]) => `  npx --no k8sauth ${command.padEnd(width)}   ${what}`);
  return `
${verdict}

Go on from here:
${lines.join("\n")}

On a cluster of your own: README.md, "On your own cluster".
`;
}
