import { createInterface } from "node:readline/promises";
import { destroy } from "../engine/index.ts";
import type { Command, Io } from "./command.ts";
import { Display, summarize } from "./display.ts";
import { chooseStack } from "./stack.ts";
import { parse, stackOptions, stackOptionsHelp, UsageError } from "./usage.ts";

export const destroyCommand: Command = {
  name: "destroy",
  summary: "Delete everything that the stack made",
  help: `Delete everything that the stack made in the cluster. Its credentials are dead at once.

Usage: k8sauth destroy [OPTIONS]

Options:
${stackOptionsHelp}
  -y, --yes               Do not ask; needed where there is no terminal
      --preview-only      Show what would be deleted and delete nothing

Exit status: 0 done, 1 failed or not confirmed, 2 wrong usage, 130 interrupted.
`,
  async run(args, io) {
    const options = {
      ...stackOptions,
      yes: { type: "boolean", short: "y" },
      "preview-only": { type: "boolean" },
    } as const;
    const { values } = parse(args, options);
    const preview = values["preview-only"] === true;
    const display = new Display(io, preview);
    const chosen = await chooseStack(values, io, display.emit);
    if (!preview && !values.yes && !(await confirmed(chosen.stack, io))) return 1;
    const { changes } = await destroy({ ...chosen, preview });
    display.close(`${preview ? "Preview" : "Destroyed"}: ${summarize(changes, preview)}.`);
    return 0;
  },
};

async function confirmed(stack: string, io: Io): Promise<boolean> {
  if (!io.tty || !process.stdin.isTTY) throw new UsageError("there is no terminal to ask on; confirm with --yes");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`Delete everything of the stack "${stack}"? Type its name: `);
  terminal.close();
  if (answer.trim() === stack) return true;
  io.err("Nothing was deleted.\n");
  return false;
}
