import { isDeepStrictEqual } from "node:util";
import { maskSecretFields } from "../gateways/index.ts";
import type { Io, Terminal } from "./command.ts";
import type { Outputs } from "./stack.ts";
import { table } from "./table.ts";

/** A line for each output: its name, whether it contains secrets, and the names in it. No value is shown. */
export function summarizeOutputs(outputs: Outputs, terminal?: Terminal, indent?: string): string {
  const rows = entriesOf(outputs).map(([name, value]) => {
    const secret = isDeepStrictEqual(maskSecretFields(value), value) ? "" : "secret";
    return [name, secret, namesIn(value)];
  });
  return table(rows, terminal, indent);
}

function namesIn(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "none" : `a list of ${value.length}`;
  if (!isObject(value)) return "a value";
  const names = entriesOf(value).map(([key, item]) => {
    const holdsObjects = isObject(item) && Object.values(item).length > 0 && Object.values(item).every(isObject);
    return holdsObjects ? `${key} (${Object.keys(item).sort().join(", ")})` : key;
  });
  return names.join(", ") || "none";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Prints all outputs by name. PEM is shortened to its first line. */
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
/** Start of base64 of PEM. Further characters depend on the bytes after `pem`. */
const pemInBase64 = Buffer.from(pem).toString("base64").slice(0, 14);
