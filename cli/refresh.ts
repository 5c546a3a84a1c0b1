import { hasChanges, refresh } from "../engine/index.ts";
import type { Command } from "./command.ts";
import { Display } from "./display.ts";
import { chooseStack } from "./stack.ts";
import { parse, stackOptions, stackOptionsHelp } from "./usage.ts";

export const refreshCommand: Command = {
  name: "refresh",
  summary: "Read what the cluster really has into the state",
  help: `Read what the cluster really has into the state. The cluster is not changed; the next \`up\` heals what differs.

Usage: k8sauth refresh [OPTIONS]

Options:
${stackOptionsHelp}
      --preview-only      Show what differs and leave the state as it is
      --expect-no-changes Exit with status 7 if anything differs

Examples:
  k8sauth refresh --stack prod && k8sauth up --stack prod
  k8sauth refresh --preview-only --expect-no-changes     a drift alarm for a schedule

Exit status: 0 done, 1 failed, 2 wrong usage, 7 unexpected changes, 130 interrupted.
`,
  async run(args, io) {
    const options = {
      ...stackOptions,
      "preview-only": { type: "boolean" },
      "expect-no-changes": { type: "boolean" },
    } as const;
    const { values } = parse(args, options);
    const preview = values["preview-only"] === true;
    const display = new Display(io, preview);
    const { changes } = await refresh({ ...(await chooseStack(values, io, display.emit)), preview });
    const { delete: gone = 0, update: different = 0, same = 0 } = changes;
    display.close(`Refreshed: ${gone} gone, ${different} different, ${same} as before.`);
    return values["expect-no-changes"] && hasChanges(changes) ? 7 : 0;
  },
};
