import { openStack, type Properties, stackOutputs, withoutSecrets } from "../engine/index.ts";
import { programConfig } from "../engine/settings.ts";
import type { Value } from "../engine/values.ts";
import type { CertificateAccess, TokenAccess } from "../gateways/index.ts";
import { KubeClient, loadConnection } from "../kube/index.ts";
import { type BearerTokenUser, checkBearerTokenUser } from "./checks/bearerTokenUser.ts";
import { checkCertificateFlow } from "./checks/certificateFlow.ts";
import { checkRancherFlow, type RancherConfig } from "./checks/rancherFlow.ts";
import type { Expiry, Finding } from "./checks/report.ts";
import { checkTokenFlow } from "./checks/tokenFlow.ts";
import type { Command, Io } from "./command.ts";
import { chooseStack } from "./stack.ts";
import { parse, stackOptions, stackOptionsHelp, UsageError } from "./usage.ts";

export const checkCommand: Command = {
  name: "check",
  summary: "Prove every credential of the stack by real calls",
  help: `Prove every credential of a stack by real calls, as the gateway would make them, and say what expires when. Works on
stacks of the Pulumi CLI too: on their state folder, or on their outputs.

Usage: k8sauth check [OPTIONS]
       pulumi stack output --show-secrets --json | k8sauth check --outputs - [OPTIONS]

Options:
${stackOptionsHelp}
      --outputs FILE      Take the outputs from a JSON file (- is standard input) instead of the state
      --kubeconfig FILE   Kubeconfig of whoever may make a ServiceAccount for the test; default the stack's own
      --context NAME      Its context
  -j, --json              Print what was found as JSON

A ServiceAccount named k8sauth-check-… is made in the reviewer's namespace and deleted again.

Exit status: 0 all holds, 1 something does not, 2 wrong usage.
`,
  async run(args, io) {
    const options = {
      ...stackOptions,
      outputs: { type: "string" },
      kubeconfig: { type: "string" },
      context: { type: "string" },
      json: { type: "boolean", short: "j" },
    } as const;
    const { values } = parse(args, options);
    const outputs = await readOutputs(values, io);
    using deployer = await deployerOf(values, io);
    const { findings, expiries } = await check(outputs, deployer);
    if (values.json) io.out(`${JSON.stringify({ findings, expiries }, undefined, 2)}\n`);
    else printFindings(findings, expiries, io);
    return findings.every((finding) => finding.holds) ? 0 : 1;
  },
};

interface Choice {
  readonly stack?: string | undefined;
  readonly cwd?: string | undefined;
  readonly "config-file"?: string | undefined;
  readonly outputs?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

/** Proves all credentials that a stack's outputs carry. */
export async function check(
  outputs: Properties,
  deployer: KubeClient,
): Promise<{ findings: Finding[]; expiries: Expiry[] }> {
  const open = withoutSecrets(outputs as Value) as { [key: string]: never };
  const access = open.clusterAccess as Partial<TokenAccess & CertificateAccess> | undefined;
  const credentials = (open.credentials ?? {}) as Record<
    string,
    { kind?: string; subject: string; namespace: string; notAfter: string }
  >;
  const { token, certificate, rancher } = credentials;
  const users = Object.entries((open.bearerTokenUsers ?? {}) as Record<string, Omit<BearerTokenUser, "name">>);
  if (!access?.host || !(token || certificate || rancher || users.length > 0)) {
    throw new Error("The stack has no outputs clusterAccess and credentials. Has its `up` been run?");
  }
  const findings: Finding[] = [];
  if (token && "token" in access) {
    const { subject, namespace } = token;
    findings.push(...(await checkTokenFlow({ access: access as TokenAccess, subject, namespace }, deployer)));
  }
  if (certificate && "privateKeyPem" in access) {
    findings.push(...(await checkCertificateFlow(access as CertificateAccess, certificate.subject, deployer)));
  }
  const { rancher: through } = (open.authConfigs ?? {}) as { rancher?: { akeyless: RancherConfig } };
  if (through) findings.push(...(await checkRancherFlow(through.akeyless, deployer)));
  const kubeconfigs = (open.kubeconfigs ?? {}) as Record<string, string>;
  for (const [name, facts] of users) {
    const user = { ...facts, name, subject: credentials[name]?.subject ?? "", kubeconfig: kubeconfigs[name] ?? "" };
    findings.push(...(await checkBearerTokenUser(user, deployer)));
  }
  const expiries = Object.entries(credentials).map(([credential, { kind, subject, notAfter }]) => ({
    credential,
    subject,
    notAfter,
    // Rancher does not tell every key when it ends.
    ...(kind === "RancherKey" && !notAfter && { unknown: true }),
  }));
  return { findings, expiries };
}

/** Prints a line for each finding, and what expires when. */
export function printFindings(findings: readonly Finding[], expiries: readonly Expiry[], io: Io): void {
  for (const { claim, holds, seen } of findings) io.out(`  ${holds ? "ok  " : "FAIL"}  ${claim} (${seen})\n`);
  for (const { credential, subject, notAfter, unknown } of expiries) {
    const forever = unknown ? "its end is not known" : "does not expire";
    io.out(`  ${credential} of ${subject}: ${notAfter ? `valid until ${notAfter}` : forever}\n`);
  }
}

async function readOutputs(values: Choice, io: Io): Promise<Properties> {
  if (values.outputs === undefined) return stackOutputs(await chooseStack(values, io, () => {}));
  const { readFile } = await import("node:fs/promises");
  const text = await readFile(values.outputs === "-" ? "/dev/stdin" : values.outputs, "utf8");
  const json = JSON.parse(text) as Properties;
  if (JSON.stringify(json).includes('"[secret]"'))
    throw new UsageError("the outputs are masked; print them with --show-secrets");
  return json;
}

async function deployerOf(values: Choice, io: Io): Promise<KubeClient> {
  if (values.kubeconfig !== undefined || values.outputs !== undefined) {
    return new KubeClient(await loadConnection({ kubeconfig: values.kubeconfig, context: values.context }, io.env));
  }
  const stack = await openStack(await chooseStack(values, io, () => {}));
  const { values: config } = programConfig(stack.project, stack.settings, (await stack.crypters()).settings);
  const setting = (key: string) => config[`${stack.project.name}:${key}`] || undefined;
  const choice = { kubeconfig: setting("kubeconfig"), context: values.context ?? setting("context") };
  return new KubeClient(await loadConnection(choice, io.env));
}
