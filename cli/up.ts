import { resolve } from "node:path";
import { hasChanges, type PolicyPackOptions, type UpdateResult, update } from "../engine/index.ts";
import type { Command, Io } from "./command.ts";
import { Display, summarize, summarizeDrift } from "./display.ts";
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
  "policy-pack": { type: "string", multiple: true },
  "policy-pack-config": { type: "string", multiple: true },
  json: { type: "boolean", short: "j" },
} as const;

const optionsHelp = `Options:
${stackOptionsHelp}
  -r, --refresh           Read what the cluster and gateways really have first, so that drift counts too
      --expect-no-changes Exit with status 7 if anything changes, or with --refresh has drifted
  -p, --parallel N        At most N resources at once; default four for each core
      --policy-pack FOLDER         Ask this policy pack about every resource; may be given more than once
      --policy-pack-config FILE    Its settings (JSON); given as often as --policy-pack, in the same order
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
  k8sauth up --policy-pack policy    changes nothing if a preview shows that a mandatory policy is violated

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
  k8sauth preview --refresh --expect-no-changes     an alarm for a schedule: drift, and what is due for renewal

Exit status: 0 done, 1 failed, 2 wrong usage, 7 unexpected changes, 130 interrupted.
`,
  run: (args, io) => run(args, io, true),
};

async function run(args: readonly string[], io: Io, preview: boolean): Promise<number> {
  const { values } = parse(args, options);
  const display = new Display(io, preview);
  const chosen = await chooseStack(values, io, display.emit);
  const parallel = values.parallel === undefined ? undefined : count(values.parallel);
  const policyPacks = packs(values["policy-pack"], values["policy-pack-config"]);
  const started = performance.now();
  const { refresh = false } = values;
  const result = await update({ ...chosen, preview, refresh, policyPacks, ...(parallel && { parallel }) });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const drift = refresh ? `${summarizeDrift(result.drift)}; ` : "";
  display.close(`${preview ? "Preview" : "Done"} in ${seconds} s: ${drift}${summarize(result.changes, preview)}.`);
  if (values.json)
    io.out(`${JSON.stringify(report(result, { refresh, policies: policyPacks.length > 0 }), undefined, 2)}\n`);
  else if (!preview) printOutputs(result.outputs, io, { showSecrets: false });
  const unexpected = hasChanges(result.changes) || result.drift.length > 0;
  return values["expect-no-changes"] && unexpected ? unexpectedChanges : 0;
}

function report(result: UpdateResult, asked: { readonly refresh: boolean; readonly policies: boolean }) {
  const { changes, outputs, violations, drift } = result;
  return {
    changes,
    outputs: printable(outputs),
    ...(asked.policies && { violations }),
    ...(asked.refresh && { drift }),
  };
}

/** As with the Pulumi CLI, the settings of packs go by their order, and either all have a file or none. */
function packs(folders: readonly string[] = [], files: readonly string[] = []): PolicyPackOptions[] {
  if (files.length > 0 && files.length !== folders.length) {
    throw new UsageError("--policy-pack-config has to be given as often as --policy-pack");
  }
  return folders.map((folder, index) => {
    const file = files[index];
    return { folder: resolve(folder), ...(file && { configFile: resolve(file) }) };
  });
}

function count(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new UsageError(`--parallel is "${text}"; it is a number from 1 on`);
  return Number(text);
}
