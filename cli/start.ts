import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { type DemoCluster, describeNode, startDemoCluster } from "../demo/cluster.ts";
import type { GatewayOutputs } from "../demo/logins.ts";
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
import { nodeImage, progressPrinter, SandboxError } from "../sandbox/index.ts";
import type { Pulumi } from "../sandbox/pulumi/index.ts";
import { check } from "./check.ts";
import type { Command, Io, Terminal } from "./command.ts";
import { printOutputs, summarizeOutputs } from "./outputs.ts";
import { preparePulumi } from "./pulumi.ts";
import { formatExpiries, formatFindings } from "./report.ts";
import { type Outputs, ownProjectFolder, Stack } from "./stack.ts";
import { up } from "./start/up.ts";
import { Steps } from "./steps.ts";
import { paint, table } from "./table.ts";
import { parse } from "./usage.ts";

const stackName = "sandbox";

export const startCommand: Command = {
  help: `Show the product in five steps:

  1  Find Pulumi, or build it.
  2  Start a sandbox: a real Kubernetes, built on first use, with a node for
     pods if this machine can run one.
  3  Provision the stack "${stackName}" in it.
  4  Summarize the outputs of the stack.
  5  Prove by calls that they work: gateways log a workload in, and the verifier
     reports to a service who its callers are.

Usage: npm start [-- OPTIONS]
       k8sauth start [OPTIONS]

Options:
      --kubeconfig FILE   Use the cluster of a kubeconfig instead of a sandbox;
                          the stack is then called "start"
      --context NAME      Its context; the current one by default
      --allow-loopback    Accept a cluster that only this machine reaches (kind,
                          minikube)
      --token-only        Without the certificate flow (EKS signs no client
                          certificates)
  -v, --verbose           Show everything: Pulumi's progress also without a
                          terminal, all outputs with secrets masked, and
                          whole errors

Exit status: 0 everything holds, 1 something failed, 2 wrong usage.
`,
  async run(args, io) {
    const options = {
      kubeconfig: { type: "string" },
      context: { type: "string" },
      "allow-loopback": { type: "boolean" },
      "token-only": { type: "boolean" },
      verbose: { type: "boolean", short: "v" },
    } as const;
    const { values } = parse(args, options);
    return exclusively(io, () => start(values, io)).catch((error: unknown) => {
      throw values.verbose ? error : withoutBuildOutput(error);
    });
  },
};

/** Runs `work` once no other `k8sauth start` of this user runs: all of them use the same sandbox and the same stack. */
async function exclusively<T>(io: Io, work: () => Promise<T>): Promise<T> {
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
  readonly verbose?: boolean;
}

/** Shortens the error of a build to its first line. The other lines are output of Go. */
function withoutBuildOutput(error: unknown): unknown {
  if (!(error instanceof SandboxError) || !error.message.includes("\n")) return error;
  const [line = ""] = error.message.split("\n", 1);
  return new SandboxError(error.code, `${line}. To see the whole error, run: npm start -- --verbose`, { cause: error });
}

async function start(options: StartOptions, io: Io): Promise<number> {
  const { context, verbose = false } = options;
  const certificate = options["token-only"] !== true;
  const steps = new Steps(io, 5);
  const pulumi = await steps.run(
    "Pulumi",
    (number) => preparePulumi(io, number),
    ({ built, command }) => (built ? "built from Go modules" : `found: ${command}`),
  );
  const shared = { context, certificate, verbose };
  if (options.kubeconfig !== undefined) {
    const kubeconfig = resolve(options.kubeconfig);
    const server = () => describeServer(kubeconfig, context, io);
    await steps.run("Cluster", server, (text) => text);
    const loopback = options["allow-loopback"] === true;
    return demonstrate({ ...shared, kubeconfig, stack: "start", loopback }, pulumi, steps, io);
  }
  const { cluster } = await steps.run(
    "Cluster",
    (number) => startCluster(io, number),
    ({ server }) => server,
  );
  await using _gateways = cluster.gateways;
  const { kubeconfig } = cluster.sandbox;
  io.out(`${indent}${describeNode(cluster.sandbox)}\n`);
  return await demonstrate({ ...shared, kubeconfig, stack: stackName, loopback: true, cluster }, pulumi, steps, io);
}

async function startCluster(io: Io, step: string): Promise<{ readonly cluster: DemoCluster; readonly server: string }> {
  const printer = progressPrinter(io.err, io.tty, { prefix: `${step}  `, columns: io.terminal?.columns });
  const options = { env: io.env, signal: io.signal, onProgress: printer.onProgress };
  const cluster = await startDemoCluster(options).finally(() => printer.finish());
  return { cluster, server: await describeServer(cluster.sandbox.kubeconfig, undefined, io) };
}

async function describeServer(kubeconfig: string, context: string | undefined, { env }: Io): Promise<string> {
  using client = new KubeClient(await loadConnection({ kubeconfig, context }, env));
  const { gitVersion } = await client.get<{ gitVersion: string }>("/version");
  return `Kubernetes ${gitVersion} at ${client.connection.server}`;
}

/** Indent of details below a step. */
const indent = "     ";

interface Target {
  readonly kubeconfig: string;
  readonly context: string | undefined;
  readonly stack: string;
  readonly loopback: boolean;
  /** Whether to show the certificate flow too. Not every cluster signs certificates. */
  readonly certificate: boolean;
  readonly verbose: boolean;
  /** Absent on a user's own cluster, where no workloads are created. */
  readonly cluster?: DemoCluster;
}

async function demonstrate(target: Target, pulumi: Pulumi, steps: Steps, io: Io): Promise<number> {
  const { kubeconfig, context } = target;
  using deployer = new KubeClient(await loadConnection({ kubeconfig, context }, io.env));
  const folder = ownProjectFolder();
  const stack = new Stack(pulumi, target.stack, folder);
  await steps.run(
    "Stack",
    async () => {
      if (target.cluster?.fresh) await removeState(stack);
      await stack.run(["stack", "select", "--create"]);
      await configure(target, stack, deployer);
      steps.clear();
      await up({ ...target, pulumi, folder }, io);
      return (await stack.export()).deployment.resources?.length ?? 0;
    },
    (resources) => `"${target.stack}" has ${resources} resources`,
  );

  const outputs = await steps.run(
    "Outputs",
    () => stack.outputs(),
    (found) => `${Object.keys(found).length} outputs, secrets encrypted in the state`,
  );
  if (target.verbose) printOutputs(maskSecretFields(outputs) as Outputs, io);
  else io.out(summarizeOutputs(outputs, io.terminal, indent));

  const { findings, expiries } = await steps.run(
    "Proofs",
    async () => {
      const { findings, expiries } = await check(outputs, deployer);
      return { findings: [...findings, ...(await showWorkloads(target, outputs, deployer, io))], expiries };
    },
    ({ findings }) => `${findings.filter(({ holds }) => holds).length} of ${findings.length} hold`,
  );
  io.out(formatFindings(findings, io.terminal, indent));
  io.out(`\n${formatExpiries(expiries, new Date(), io.terminal, indent)}`);
  const failed = findings.filter(({ holds }) => holds === false).length;
  io.out(summary(target, folder, failed, io.terminal));
  return failed > 0 ? 1 : 0;
}

/** Removes the state of the stack of an earlier sandbox. Its objects were deleted with that sandbox. */
async function removeState(stack: Stack): Promise<void> {
  await stack.run(["stack", "rm", "--force", "--yes", "--preserve-config"]).catch((error: Error) => {
    if (!/no stack named/.test(error.message)) throw error;
  });
}

/** Writes the stack's settings. */
async function configure({ cluster, ...target }: Target, stack: Stack, deployer: KubeClient): Promise<void> {
  const { kubeconfig } = target;
  const { context } = deployer.connection;
  const plain: Record<string, string | boolean> = {
    kubeconfig,
    context,
    certificateFlow: target.certificate,
    ...(target.loopback && { allowLoopbackHost: true }),
  };
  if (cluster) {
    const { accessId, signingKey, gatewayUrl } = await cluster.gateways.akeylessAccess();
    Object.assign(plain, {
      akeylessAccessId: accessId,
      akeylessGatewayUrl: gatewayUrl,
      verifier: cluster.sandbox.node !== undefined,
      "verifierAudiences[0]": audiences.own,
      "verifierAllow[0]": `${demoNamespace}/${accounts.caller}`,
      verifierImage: nodeImage,
    });
    await stack.run(["config", "set", "--secret", "akeylessSigningKey"], signingKey);
  }
  const settings = Object.entries(plain).flatMap(([key, value]) => ["--plaintext", `k8sauth:${key}=${value}`]);
  await stack.run(["config", "set-all", "--path", ...settings]);
}

/** Logs workloads in at the gateways and calls the verifier, with values from the stack's outputs only. */
async function showWorkloads({ cluster }: Target, stored: Outputs, deployer: KubeClient, io: Io): Promise<Finding[]> {
  if (!cluster) return [];
  const outputs = stored as unknown as GatewayOutputs & {
    readonly clusterAccess: WorkloadOutputs["access"];
    readonly workloadLogin: { readonly token: ProjectedToken };
    readonly verifier?: WorkloadOutputs["verifier"];
  };
  const { clusterAccess: access, workloadLogin, verifier } = outputs;
  const from = { access, gatewayToken: workloadLogin.token, ...(verifier && { verifier }) };
  await using workloads = await createWorkloads(from, deployer, cluster.sandbox, io.signal);
  return [...(await cluster.gateways.logIn(outputs, workloads)), ...(await checkVerifier(workloads))];
}

function summary({ stack, cluster, certificate }: Target, folder: string, failed: number, terminal?: Terminal): string {
  const credential = certificate ? "a token or a client certificate" : "a token";
  const shown = [
    `a reviewer in the cluster, whose credential (${credential}) can review tokens and do nothing else`,
    ...(cluster
      ? [
          "gateways that accept the auth configs unchanged and log a workload in by its own token",
          "a verifier that reports to a service who its callers are",
        ]
      : []),
  ];
  const flags = `--stack ${stack}${folder === process.cwd() ? "" : ` --cwd ${folder}`}`;
  const next = [
    [`pulumi stack output authConfigs --show-secrets --json ${flags}`, "the auth configs for the gateways"],
    [`pulumi up ${flags}`, "another run of the program, which changes nothing"],
    ["doctor", 'an examination of your own cluster; then README.md, "On your own cluster"'],
  ];
  const remove = [`pulumi destroy ${flags}`, ...(cluster ? ["sandbox stop"] : [])];
  const command = (text: string) => `npx --no k8sauth ${text}`;
  return `
${failed > 0 ? paint(terminal, "red", `${failed} of the claims above do not hold. Expected:`) : "Shown:"}
${table(
  shown.map((line) => ["-", line]),
  terminal,
)}
Next:
${next.map(([text = "", what = ""]) => `  ${what}:\n    ${command(text)}\n`).join("")}
Delete everything: ${remove.map(command).join(" && ")}
`;
}
