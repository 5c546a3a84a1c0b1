import { readFileSync } from "node:fs";
import { join } from "node:path";
import { program } from "../project.ts";

/** A block of commands of a page. */
export interface CommandBlock {
  /** The heading that it is below. */
  readonly heading: string;
  readonly commands: string;
}

/** The comment of a command that the tests cannot run. */
const mark = /# needs the network$/;

/** All blocks of commands of a page, in their order. */
export function commandBlocks(page: string): readonly CommandBlock[] {
  const blocks: CommandBlock[] = [];
  let heading = "";
  let [fence, commands] = ["", ""];
  for (const line of readFileSync(join(program, page), "utf8").split("\n")) {
    const [, language = ""] = /^```(\w*)$/.exec(line) ?? [];
    if (fence === "" && line.startsWith("```")) [fence, commands] = [language || "text", ""];
    else if (line === "```") {
      if (fence === "sh") blocks.push({ heading, commands });
      fence = "";
    } else if (fence !== "") commands += `${line}\n`;
    else heading = /^#+ (.+)$/.exec(line)?.[1] ?? heading;
  }
  return blocks;
}

/** The commands below a heading of a page, block by block. */
export function commandsBelow(page: string, heading: string): readonly string[] {
  const blocks = commandBlocks(page).filter((block) => block.heading === heading);
  if (blocks.length === 0) throw new Error(`${page} has no commands below "${heading}"`);
  return blocks.map(({ commands }) => commands);
}

/** The commands with the comment that they need the network. */
export function networkCommands(commands: string): readonly string[] {
  return commands.split("\n").filter((line) => mark.test(line));
}

/** The other commands. */
export function localCommands(commands: string): string {
  return commands
    .split("\n")
    .filter((line) => !mark.test(line))
    .join("\n");
}

/** The commands with other values of the variables that the reader sets. */
export function withValues(commands = "", values: Readonly<Record<string, string>>): string {
  return Object.entries(values).reduce(
    (text, [name, value]) => text.replaceAll(new RegExp(`\\b${name}=\\S+`, "g"), `${name}=${value}`),
    commands,
  );
}

/**
 * The commands with other values instead of the page's examples.
 *
 * @throws Error for an example that the commands do not have
 */
export function withExamples(commands: string, examples: Readonly<Record<string, string>>): string {
  return Object.entries(examples).reduce((text, [example, value]) => {
    if (!text.includes(example)) throw new Error(`the commands have no ${example}`);
    return text.replaceAll(example, value);
  }, commands);
}
