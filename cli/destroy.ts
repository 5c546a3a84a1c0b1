import { destroy } from "../engine/index.ts";
import type { Command } from "./command.ts";
import { confirm } from "./confirm.ts";
import { Display, summarize } from "./display.ts";
import { chooseStack } from "./stack.ts";
import { parse, stackOptions, stackOptionsHelp } from "./usage.ts";

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
    if (
      !preview &&
      !values.yes &&
      !(await confirm(`Delete everything of the stack "${chosen.stack}"?`, chosen.stack, io))
    )
      return 1;
    const { changes } = await destroy({ ...chosen, preview });
    display.close(`${preview ? "Preview" : "Destroyed"}: ${summarize(changes, preview)}.`);
    return 0;
  },
};
