import { hasChanges, refresh, update } from "../engine/index.ts";
import type { Command, Io } from "./command.ts";
import { Display, summarize } from "./display.ts";
import { printable, printOutputs } from "./output.ts";
import { chooseStack } from "./stack.ts";
import { parse, stackOptions, stackOptionsHelp, UsageError } from "./usage.ts";

/** Exit status of Pulumi's CLI for changes where none were expected. */
const unexpectedChanges = 7;

const options = {
  ...stackOptions,
  refresh: { type: "boolean", short: "r" },
  "expect-no-changes": { type: "boolean" },
  parallel: { type: "string", short: "p" },
  json: { type: "boolean", short: "j" },
} as const;

const optionsHelp = `Options:
${stackOptionsHelp}
  -r, --refresh           Read what the cluster really has first, so that drift is healed too
      --expect-no-changes Exit with status 7 if anything changes
  -p, --parallel N        At most N resources at once; default four for each core
  -j, --json              Print changes and outputs as JSON on standard output; secrets are masked`;

export const upCommand: Command = {
  name: "up",
  summary: "Make the cluster what the program says",
  help: `Make the cluster what the program says. Nothing is asked: look at k8sauth preview first.

Usage: k8sauth up [OPTIONS]

${optionsHelp}

Examples:
  k8sauth up --stack prod
  k8sauth up --refresh         heals what was deleted or changed by hand

Exit status: 0 done, 1 failed (what was done is in the state; run it again), 2 wrong usage, 7 unexpected changes,
130 interrupted.
`,
  run: (args, io) => run(args, io, false),
};

export const previewCommand: Command = {
  name: "preview",
  summary: "Show what `up` would change",
  help: `Show what \`up\` would change. Works without a reachable cluster, too: what is not known then is marked.

Usage: k8sauth preview [OPTIONS]

${optionsHelp}

Examples:
  k8sauth preview --stack prod
  k8sauth preview --expect-no-changes     an alarm for a schedule: drift and what is due for renewal

Exit status: 0 done, 1 failed, 2 wrong usage, 7 unexpected changes, 130 interrupted.
`,
  run: (args, io) => run(args, io, true),
};

async function run(args: readonly string[], io: Io, preview: boolean): Promise<number> {
  const { values } = parse(args, options);
  const display = new Display(io, preview);
  const chosen = await chooseStack(values, io, display.emit);
  const parallel = values.parallel === undefined ? undefined : count(values.parallel);
  const started = performance.now();
  if (values.refresh) {
    if (preview) throw new UsageError("--refresh writes to the state; run k8sauth refresh --preview-only to see drift");
    await refresh({ ...chosen, preview: false });
  }
  const result = await update({ ...chosen, preview, ...(parallel && { parallel }) });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  display.close(`${preview ? "Preview" : "Done"} in ${seconds} s: ${summarize(result.changes, preview)}.`);
  if (values.json)
    io.out(`${JSON.stringify({ changes: result.changes, outputs: printable(result.outputs) }, undefined, 2)}\n`);
  else if (!preview) printOutputs(result.outputs, io, { showSecrets: false });
  return values["expect-no-changes"] && hasChanges(result.changes) ? unexpectedChanges : 0;
}

function count(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new UsageError(`--parallel is "${text}"; it is a number from 1 on`);
  return Number(text);
}
