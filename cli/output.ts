import { type Properties, redacted, stackOutputs, type Value, withoutSecrets } from "../engine/index.ts";
import { unknown } from "../engine/values.ts";
import type { Command, Io } from "./command.ts";
import { chooseStack } from "./stack.ts";
import { parse, stackOptions, stackOptionsHelp } from "./usage.ts";

export const outputCommand: Command = {
  name: "output",
  summary: "Print the stack's outputs",
  help: `Print the outputs of a stack, as \`pulumi stack output\` does. Secrets are masked unless asked for.

Usage: k8sauth output [NAME] [OPTIONS]

Options:
${stackOptionsHelp}
  -j, --json              Print JSON
      --show-secrets      Print secrets in plaintext

Examples:
  k8sauth output
  k8sauth output authConfigs --show-secrets --json
  k8sauth output credentials

Exit status: 0 done, 1 failed (no such stack or output), 2 wrong usage.
`,
  async run(args, io) {
    const options = {
      ...stackOptions,
      json: { type: "boolean", short: "j" },
      "show-secrets": { type: "boolean" },
    } as const;
    const { values, positionals } = parse(args, options, 1);
    const outputs = await stackOutputs(await chooseStack(values, io, () => {}));
    const showSecrets = values["show-secrets"] === true;
    const [name] = positionals;
    if (name === undefined) {
      if (values.json) io.out(json(printable(outputs, showSecrets)));
      else printOutputs(outputs, io, { showSecrets });
      return 0;
    }
    const value = outputs[name];
    if (value === undefined) {
      io.err(
        `error: the stack has no output "${name}". Outputs: ${Object.keys(outputs).sort().join(", ") || "none"}.\n`,
      );
      return 1;
    }
    const shown = printable({ value }, showSecrets).value ?? null;
    io.out(typeof shown === "string" && !values.json ? `${shown}\n` : json(shown));
    return 0;
  },
};

/** Outputs as they may be shown: secrets masked or laid open, keys sorted. */
export function printable(outputs: Properties, showSecrets = false): { [key: string]: Value } {
  const value = showSecrets ? withoutSecrets(outputs as Value) : redacted(outputs as Value);
  return sorted(value) as { [key: string]: Value };
}

/** Prints outputs for people. */
export function printOutputs(outputs: Properties, io: Io, { showSecrets }: { showSecrets: boolean }): void {
  for (const [name, value] of Object.entries(printable(outputs, showSecrets))) io.out(lines(name, value, ""));
}

function lines(name: string, value: Value, indent: string): string {
  if (value === unknown) return `${indent}${name}: (known after up)\n`;
  if (typeof value !== "object" || value === null) return `${indent}${name}: ${text(value, indent)}\n`;
  const entries = Array.isArray(value) ? value.map((item): [string, Value] => ["-", item]) : Object.entries(value);
  if (entries.length === 0) return `${indent}${name}: none\n`;
  return `${indent}${name}:\n${entries.map(([key, item]) => lines(key, item ?? null, `${indent}  `)).join("")}`;
}

function text(value: string | number | boolean | null, indent: string): string {
  if (value === null || value === "") return "-";
  const string = String(value).trimEnd();
  return string.includes("\n") ? `\n${string.replaceAll(/^/gm, `${indent}  `)}` : string;
}

function sorted(value: Value): Value {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item ?? null)]),
  );
}

function json(value: Value): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
