import { readFileSync } from "node:fs";
import { join } from "node:path";
import { program } from "./project.ts";

/** The commands below a heading of docs/leak.md, block by block. */
export function leakCommands(heading: string): readonly string[] {
  const page = readFileSync(join(program, "docs", "leak.md"), "utf8");
  const section = page.split(/^#+ (?=\S)/m).find((text) => text.startsWith(`${heading}\n`));
  const blocks = [...(section ?? "").matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = ""]) => commands);
  if (blocks.length === 0) throw new Error(`docs/leak.md has no commands below "${heading}"`);
  return blocks;
}

/** The same with other values for the variables that the reader is to set. */
export function withValues(commands = "", values: Readonly<Record<string, string>>): string {
  return Object.entries(values).reduce(
    (text, [name, value]) => text.replaceAll(new RegExp(`\\b${name}=\\S+`, "g"), `${name}=${value}`),
    commands,
  );
}
