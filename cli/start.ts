import { resolve } from "node:path";
import {
  openBackend,
  openStack,
  type Properties,
  type StackOptions,
  stackOutputs,
  stateFolder,
  update,
  type Value,
  withoutSecrets,
} from "../engine/index.ts";
import { loadProject } from "../engine/project.ts";
import { maskSecretFields } from "../gateways/index.ts";
import { KubeClient, loadConnection } from "../kube/index.ts";
import { AkeylessTestGateway } from "../sandbox/gateways/akeyless/index.ts";
import { VaultAuth } from "../sandbox/gateways/vault/index.ts";
import { canRunNode, nodeImage, progressPrinter, type Sandbox, sandboxStatus, startSandbox } from "../sandbox/index.ts";
import { check, printFindings } from "./check.ts";
import type { Finding } from "./checks/report.ts";
import type { Command, Io } from "./command.ts";
import { Display, summarize } from "./display.ts";
import { printOutputs } from "./output.ts";
import { projectFolder } from "./stack.ts";
import { type GatewayOutputs, Gateways } from "./start/logins.ts";
import { accounts, audiences, type FromOutputs, lodging, type ProjectedToken } from "./start/scene.ts";
import { checkVerifier } from "./start/verifierCalls.ts";
import { makeWorkloads } from "./start/workload.ts";
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
    const certificate = values["token-only"] !== true;
    const { context } = values;
    if (values.kubeconfig !== undefined) {
      const kubeconfig = resolve(values.kubeconfig);
      return demonstrate(
        { kubeconfig, context, stack: "start", certificate, loopback: values["allow-loopback"] === true },
        io,
      );
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
  },
};

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
  const folder = projectFolder(undefined);
  const display = new Display(io, false);
  const chosen = { folder, stack: target.stack, env: io.env, emit: display.emit, signal: io.signal };
  if (target.sandbox?.fresh) {
    const { name } = await loadProject(folder);
    await openBackend(io.env, () => stateFolder(io.env)).remove({ project: name, stack: target.stack });
  }
  await configure(target, chosen);

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
  const shown = [...findings, ...(await showWorkloads(target, stored, deployer, io))];
  const failed = shown.filter((finding) => !finding.holds).length;
  io.out(summary(target, failed));
  return failed > 0 ? 1 : 0;
}

/** Writes the stack's settings file. */
async function configure({ sandbox, ...target }: Target, chosen: StackOptions): Promise<void> {
  const stack = await openStack(chosen);
  const { settings, project } = stack;
  const set = (key: string, value: Value) => settings.setConfig(`${project.name}:${key}`, value);
  set("kubeconfig", target.kubeconfig);
  if (target.context) set("context", target.context);
  if (target.loopback) set("allowLoopbackHost", true);
  set("certificateFlow", target.certificate);
  if (sandbox) {
    const { accessId, signingKey, gatewayUrl } = await sandbox.gateways.akeylessAccess();
    const { settings: crypter } = await stack.crypters();
    settings.salt = crypter.salt;
    set("akeylessAccessId", accessId);
    set("akeylessSigningKey", { secure: crypter.encrypt(signingKey) });
    set("akeylessGatewayUrl", gatewayUrl);
    set("verifier", sandbox.sandbox.node !== undefined);
    set("verifierAudiences", [audiences.own]);
    set("verifierAllow", [`${lodging}/${accounts.caller}`]);
    set("verifierImage", nodeImage);
  }
  await settings.save();
}

/** Workloads that come to the gateways and to the verifier with nothing but the stack's outputs. */
async function showWorkloads(
  { sandbox: target }: Target,
  stored: Properties,
  deployer: KubeClient,
  io: Io,
): Promise<Finding[]> {
  if (!target) return [];
  const outputs = withoutSecrets(stored as Value) as unknown as GatewayOutputs & {
    readonly clusterAccess: FromOutputs["access"];
    readonly workloadLogin: { readonly token: ProjectedToken };
    readonly verifier?: FromOutputs["verifier"];
  };
  const { clusterAccess: access, workloadLogin, verifier } = outputs;
  heading(io, "5. Gateways that take the auth configs, and a workload that logs in with its own token");
  const from = { access, gatewayToken: workloadLogin.token, ...(verifier && { verifier }) };
  await using workloads = await makeWorkloads(from, deployer, target.sandbox, io.signal);
  const logins = await target.gateways.logIn(outputs, workloads);
  printFindings(logins, [], io);
  heading(io, "6. The verifier, asked by a service that wants to know who calls it");
  const answers = await checkVerifier(workloads);
  printFindings(answers, [], io);
  return [...logins, ...answers];
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

function summary({ stack, sandbox }: Target, failed: number): string {
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
${sandbox ? "  npx k8sauth sandbox stop                               end the sandbox\n" : ""}
On a cluster of your own: README.md, "On your own cluster" (with k8sauth, or with \`pulumi up\`).
`;
}
