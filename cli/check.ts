import type { CertificateAccess, TokenAccess } from "../gateways/index.ts";
import type { Finding } from "../kubernetes/finding.ts";
import { KubeClient, loadConnection } from "../kubernetes/index.ts";
import { type BearerTokenUser, checkBearerTokenUser } from "./checks/bearerTokenUser.ts";
import { checkCertificateFlow } from "./checks/certificateFlow.ts";
import { checkStacks, formatStacks, holds, type StackReport } from "./checks/fleet.ts";
import { checkOrphans } from "./checks/orphans.ts";
import { checkRancherFlow, type RancherConfig } from "./checks/rancherFlow.ts";
import { checkTokenFlow } from "./checks/tokenFlow.ts";
import { checkVerifierPods } from "./checks/verifierPods.ts";
import type { Command, Io } from "./command.ts";
import type { Expiry } from "./expiry.ts";
import { preparePulumi } from "./pulumi.ts";
import { formatExpiries, formatFindings } from "./report.ts";
import { type Outputs, projectFolder, Stack } from "./stack.ts";
import { parse, UsageError } from "./usage.ts";

export const checkCommand: Command = {
  help: `Prove every credential of a stack by real calls, as the gateway makes them, and
show when each expires. The outputs are read through Pulumi, as \`k8sauth pulumi
stack output\` reads them. If the stack is in a backend that this login cannot
read, pass its outputs with --outputs.

Usage: k8sauth check [OPTIONS]
       k8sauth check --stack NAME --stack NAME... [OPTIONS]
       pulumi stack output --show-secrets --json |
         k8sauth check --outputs - [OPTIONS]

Options:
  -s, --stack NAME        The stack; default the selected one. May be repeated:
                          several stacks of the project have a row each, with
                          cluster, host, credentials, checks and next expiry
  -C, --cwd FOLDER        The folder of Pulumi.yaml; default the current one or
                          the nearest one above it, else that of k8sauth
      --outputs FILE      Take the outputs from a JSON file instead; - is
                          standard input
      --kubeconfig FILE   Kubeconfig of a user with the rights for the test
                          objects; default that of the stack. Not for several
                          stacks
      --context NAME      Its context. Not for several stacks
  -j, --json              Print findings and expiry dates as JSON

Check writes to the cluster, and deletes what it created: a ServiceAccount named
k8sauth-check-… in the namespace of the reviewer and of each bearer-token user,
and for a client certificate a CertificateSigningRequest of that name, which it
approves. A user without the rights for these objects
(examples/deployer-rights/README.md) gets "?" for the claims that need them, and
nothing is created.

If the stack has a verifier, check compares its ready pods with the wanted ones.

Check also lists objects in the cluster that have the stack's label and are not
in its state: a killed run may leave them. This needs the right to list and is
skipped with --outputs.

Colours are used on a terminal only, and not if NO_COLOR is set.

Exit status: 0 everything holds, 1 something does not, 2 wrong usage. A claim
that could not be checked is marked "?" and does not fail the command.
`,
  async run(args, io) {
    const options = {
      stack: { type: "string", short: "s", multiple: true },
      cwd: { type: "string", short: "C" },
      outputs: { type: "string" },
      kubeconfig: { type: "string" },
      context: { type: "string" },
      json: { type: "boolean", short: "j" },
    } as const;
    const { values } = parse(args, options);
    const names = values.stack ?? [];
    if (names.length > 1) return checkSeveral(names, values, io);
    const stack =
      values.outputs === undefined
        ? new Stack(await preparePulumi(io), names[0], projectFolder(values.cwd))
        : undefined;
    const outputs = stack ? await stack.outputs() : await readOutputs(values.outputs ?? "-");
    using deployer = await deployerOf(await stack?.settings(), values, io);
    const { findings, expiries } = await check(outputs, deployer);
    findings.push(...(await checkObjects(outputs, stack, deployer)));
    if (values.json) io.out(`${JSON.stringify({ findings, expiries }, undefined, 2)}\n`);
    else io.out(`${formatFindings(findings, io.terminal)}\n${formatExpiries(expiries, new Date(), io.terminal)}`);
    if (findings.every((finding) => finding.holds !== false)) return 0;
    if (!values.json) io.out(`\n${repair}\n`);
    return 1;
  },
};

const repair =
  "To restore what is missing, run `pulumi up --refresh`, and send the new auth configs to the gateways. docs/troubleshooting.md has the causes.";

interface Choice {
  readonly cwd?: string | undefined;
  readonly outputs?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Checks several stacks of one project. An error of one does not stop the others. */
async function checkSeveral(names: readonly string[], choice: Choice, io: Io): Promise<number> {
  for (const name of ["outputs", "kubeconfig", "context"] as const) {
    if (choice[name] !== undefined) throw new UsageError(`--${name} is for one stack, and there are several`);
  }
  const pulumi = await preparePulumi(io);
  const folder = projectFolder(choice.cwd);
  const checkOne = (name: string) => checkStack(name, new Stack(pulumi, name, folder), io);
  const stacks = await checkStacks([...new Set(names)], checkOne, io);
  if (choice.json) io.out(`${JSON.stringify({ stacks }, undefined, 2)}\n`);
  else io.out(formatStacks(stacks, new Date(), io.terminal));
  return stacks.every(holds) ? 0 : 1;
}

/** Checks one of several stacks. Results from before an error are part of the report. */
async function checkStack(name: string, stack: Stack, io: Io): Promise<StackReport> {
  let report: StackReport = { stack: name, cluster: "", host: "", kinds: [], expiries: [], findings: [] };
  try {
    const settings = await stack.settings();
    report = { ...report, cluster: settings.context ?? "" };
    const outputs = await stack.outputs();
    const { host = "" } = (outputs.clusterAccess ?? {}) as { host?: string };
    const kinds = [...new Set(Object.values(credentialsOf(outputs)).map(({ kind }) => kind ?? ""))];
    report = { ...report, host, kinds, expiries: expiriesOf(outputs) };
    using deployer = await deployerOf(settings, {}, io);
    report = { ...report, findings: (await check(outputs, deployer)).findings };
    return { ...report, findings: [...report.findings, ...(await checkObjects(outputs, stack, deployer))] };
  } catch (error) {
    const { message, code } = error as Error & { readonly code?: string };
    return { ...report, error: code === undefined ? message : `${message} (${code})` };
  }
}

/** Checks what is in the cluster besides the credentials. @param stack undefined if there are only its outputs */
async function checkObjects(outputs: Outputs, stack: Stack | undefined, deployer: KubeClient): Promise<Finding[]> {
  const pods = await checkVerifierPods(outputs, deployer);
  return stack ? [...pods, ...(await checkOrphans(await stack.export(), deployer))] : pods;
}

/** Proves all credentials in a stack's outputs. @throws Error if the outputs have no credential, KubeError */
export async function check(
  outputs: Outputs,
  deployer: KubeClient,
): Promise<{ findings: Finding[]; expiries: Expiry[] }> {
  const access = outputs.clusterAccess as Partial<TokenAccess & CertificateAccess> | undefined;
  const credentials = credentialsOf(outputs);
  const { token, certificate, rancher } = credentials;
  const users = Object.entries((outputs.bearerTokenUsers ?? {}) as Record<string, Omit<BearerTokenUser, "name">>);
  if (!access?.host || !(token || certificate || rancher || users.length > 0)) {
    throw new Error(
      "The stack has no outputs clusterAccess and credentials. Run `up` first. A program that uses the library has no such outputs, and check cannot prove it.",
    );
  }
  const findings: Finding[] = [];
  if (token && "token" in access) {
    const { subject, namespace } = token;
    findings.push(...(await checkTokenFlow({ access: access as TokenAccess, subject, namespace }, deployer)));
  }
  if (certificate && "privateKeyPem" in access) {
    findings.push(...(await checkCertificateFlow(access as CertificateAccess, certificate.subject, deployer)));
  }
  const authConfigs = (outputs.authConfigs ?? {}) as { rancher?: { akeyless: RancherConfig } };
  if (authConfigs.rancher) findings.push(...(await checkRancherFlow(authConfigs.rancher.akeyless, deployer)));
  const kubeconfigs = (outputs.kubeconfigs ?? {}) as Record<string, string>;
  for (const [name, output] of users) {
    const user = { ...output, name, subject: credentials[name]?.subject ?? "", kubeconfig: kubeconfigs[name] ?? "" };
    findings.push(...(await checkBearerTokenUser(user, deployer)));
  }
  return { findings, expiries: expiriesOf(outputs) };
}

interface Credential {
  readonly kind?: string;
  readonly subject: string;
  readonly namespace: string;
  readonly notAfter: string;
  readonly renewAfter?: string;
}

function credentialsOf({ credentials }: Outputs): Readonly<Record<string, Credential>> {
  return (credentials ?? {}) as Record<string, Credential>;
}

function expiriesOf(outputs: Outputs): Expiry[] {
  return Object.entries(credentialsOf(outputs)).map(([credential, { kind, subject, notAfter, renewAfter }]) => ({
    credential,
    subject,
    notAfter,
    ...(renewAfter && { renewAfter }),
    // Rancher does not report the expiry of every key.
    ...(kind === "RancherKey" && !notAfter && { unknown: true }),
  }));
}

/** @throws UsageError if the file does not contain the outputs of a stack with the secret ones */
async function readOutputs(file: string): Promise<Outputs> {
  const { readFile } = await import("node:fs/promises");
  const text = await readFile(file === "-" ? "/dev/stdin" : file, "utf8").catch(({ code }: NodeJS.ErrnoException) => {
    throw new UsageError(`--outputs: the file ${file} cannot be read (${code})`);
  });
  const print = "print them with `pulumi stack output --json --show-secrets`";
  let outputs: unknown;
  try {
    outputs = JSON.parse(text);
  } catch {
    // The text of a SyntaxError could contain a secret.
  }
  if (typeof outputs !== "object" || outputs === null || Array.isArray(outputs))
    throw new UsageError(`--outputs: expected the outputs of a stack as a JSON object; ${print}`);
  if (text.includes('"[secret]"')) throw new UsageError(`--outputs: the secret outputs are masked; ${print}`);
  return outputs as Outputs;
}

/**
 * A client with the credentials of the kubeconfig in the options, or of the one in the stack's settings.
 *
 * @param settings settings of the stack; undefined with `--outputs`
 */
async function deployerOf(
  settings: Readonly<Record<string, string>> | undefined,
  { kubeconfig, context }: Choice,
  { env, signal }: Io,
): Promise<KubeClient> {
  const choice =
    kubeconfig !== undefined || !settings
      ? { kubeconfig, context }
      : { kubeconfig: settings.kubeconfig || undefined, context: context ?? (settings.context || undefined) };
  return new KubeClient(await loadConnection(choice, env), { signal });
}
