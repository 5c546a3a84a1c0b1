import type { Io } from "./command.ts";
import type { Outputs } from "./stack.ts";

/** Prints outputs for people, by name. PEM is shortened to its first line: whole it would fill the screen. */
export function printOutputs(outputs: Outputs, io: Io): void {
  for (const [name, value] of entriesOf(outputs)) io.out(lines(name, value, "  "));
}

function lines(name: string, value: unknown, indent: string): string {
  const label = name === "-" ? name : `${name}:`;
  if (typeof value !== "object" || value === null) return `${indent}${label} ${text(value, indent)}\n`;
  const entries = Array.isArray(value) ? value.map((item): [string, unknown] => ["-", item]) : entriesOf(value);
  if (entries.length === 0) return `${indent}${label} none\n`;
  return `${indent}${label}\n${entries.map(([key, item]) => lines(key, item, `${indent}  `)).join("")}`;
}

function entriesOf(value: object): [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

function text(value: unknown, indent: string): string {
  if (value === null || value === undefined || value === "") return "-";
  const string = String(value).trimEnd();
  const decoded = string.startsWith(pemInBase64) ? Buffer.from(string, "base64").toString("latin1") : string;
  if (decoded.startsWith(pem)) return `${decoded.split("\n")[0]} …${decoded === string ? "" : " (in base64)"}`;
  return string.includes("\n") ? `\n${string.replaceAll(/^/gm, `${indent}  `)}` : string;
}

const pem = "-----BEGIN ";
/** How base64 of PEM starts, as far as the first bytes alone decide. */
const pemInBase64 = Buffer.from(pem).toString("base64").slice(0, 14);
