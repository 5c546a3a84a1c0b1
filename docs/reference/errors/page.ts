import { refusals } from "../../../verifier/errors.ts";
import { client } from "./client.ts";
import { command } from "./command.ts";
import { gateways } from "./gateways.ts";
import { kubernetes } from "./kubernetes.ts";
import { plugin } from "./plugin/index.ts";
import { refusalRemedies } from "./refusals.ts";
import type { ErrorText } from "./text.ts";
import { verifier } from "./verifier.ts";

/** Errors of one program. */
export interface Program {
  readonly title: string;
  /** Where the program writes the code. */
  readonly where: string;
  readonly errors: Readonly<Record<string, ErrorText>>;
}

const refused = Object.entries(refusals).map(([reason, { status, text }]) => [
  reason,
  { meaning: `Status ${status}: “${text}”`, remedy: refusalRemedies[reason as keyof typeof refusals] },
]);

export const programs: readonly Program[] = [
  {
    title: "Plugin",
    where:
      "`pulumi preview`, `up` and `refresh` print the code before the message: `CLUSTER_RIGHTS_MISSING: User …`. The plugin prints the codes of the [Kubernetes client](#kubernetes-client) in the same way.",
    errors: plugin,
  },
  {
    title: "Kubernetes client",
    where:
      "The plugin and `k8sauth check` use this client. `k8sauth` prints the code after the message: `error: … (KUBE_TIMEOUT)`.",
    errors: kubernetes,
  },
  {
    title: "Auth configs",
    where: "The functions in `gateways/` throw an error with this `code`, and the field in `field`.",
    errors: gateways,
  },
  {
    title: "Verifier",
    where:
      "A log line has the code in `code` and the message in `detail`. Exit status 2 is an error of the configuration, 1 another error that prevents the start. A running verifier logs the error and tries again. `pulumi preview` prints the `CONFIG_…` codes for the verifier's settings of a stack.",
    errors: verifier,
  },
  {
    title: "Refused requests",
    where:
      "The verifier answers a refused request with one of these. The JSON answer and the log line `refused` have the reason in `reason`; the metric `k8sauth_verifier_decisions_total` counts refusals by it. See [Answers](verifier.md#answers).",
    errors: Object.fromEntries(refused),
  },
  {
    title: "Client of the verifier",
    where: "`ServiceClient` throws an error with this `code`. The command prints a JSON line with the code in `error`.",
    errors: client,
  },
  {
    title: "Sandbox and command",
    where: "`k8sauth sandbox`, `start` and `pulumi` print the code after the message.",
    errors: command,
  },
];

/** docs/errors.md: every code of every program. */
export function errorsPage(): string {
  return `# Errors

<!-- Generated from docs/reference/errors by \`npm run generate\`. -->

Each error has a code that does not change. Search this page for the code. The message of the error has the details: names, addresses and what
was expected.

| codes | program |
|---|---|
${programs.map((program) => `| ${prefixes(program)} | [${program.title}](#${anchor(program.title)}) |`).join("\n")}

${programs.map(section).join("\n")}`;
}

function section({ title, where, errors }: Program): string {
  const entries = Object.entries(errors).map(
    ([code, { meaning, remedy }]) => `### \`${code}\`\n\n${meaning}\n\n**What to do:** ${remedy}\n`,
  );
  return `## ${title}\n\n${where}\n\n${entries.join("\n")}`;
}

/** Prefixes of a program's codes. The reasons of refused requests are lower-case and have no prefix. */
function prefixes({ errors }: Program): string {
  const codes = Object.keys(errors);
  if (codes.every((code) => code === code.toLowerCase())) return "lower-case reasons";
  return [...new Set(codes.map((code) => (code.includes("_") ? `\`${code.split("_")[0]}_…\`` : `\`${code}\``)))].join(
    ", ",
  );
}

function anchor(title: string): string {
  return title.toLowerCase().replaceAll(" ", "-");
}
