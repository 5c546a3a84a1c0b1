import { areas } from "./schema.ts";
import type { Schema, Setting } from "./setting.ts";

/** The tables of all settings, for docs/settings.md. */
export function settingsTables(): string {
  return Object.entries(areas)
    .map(
      ([title, area]) => `## ${title}\n\n| setting | value | default | meaning |\n|---|---|---|---|\n${rows(area)}\n`,
    )
    .join("\n");
}

function rows(area: Schema): string {
  return Object.entries(area)
    .map(([name, setting]) => [`\`${name}\``, accepted(setting), defaultOf(setting), setting.description])
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}

function accepted({ type, choices, range, secret }: Setting): string {
  const names = {
    text: "text",
    boolean: "`true` or `false`",
    integer: range?.replace("number of ", ""),
    list: "list",
    object: "object",
  };
  const listed = choices?.map((choice) => `\`${choice}\``).join(", ");
  const value = listed === undefined ? names[type] : type === "list" ? `list of ${listed}` : listed;
  return secret ? `${value}, \`--secret\`` : (value ?? "");
}

function defaultOf({ type, default: defaultValue, unset = "" }: Setting): string {
  if (defaultValue === undefined) return unset;
  const days =
    type === "integer" && Number(defaultValue) % 86_400 === 0 ? ` (${Number(defaultValue) / 86_400} days)` : "";
  return `\`${typeof defaultValue === "string" ? defaultValue : JSON.stringify(defaultValue)}\`${days}`;
}
