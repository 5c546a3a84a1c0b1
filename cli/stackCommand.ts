import { open, readFile } from "node:fs/promises";
import {
  exportStack,
  importStack,
  listStacks,
  removeStack,
  type StackOptions,
  type StackSummary,
  type Value,
} from "../engine/index.ts";
import type { Command, Io } from "./command.ts";
import { confirm } from "./confirm.ts";
import { Display } from "./display.ts";
import { chooseStack, projectFolder } from "./stack.ts";
import { parse, stackOptions, stackOptionsHelp, UsageError } from "./usage.ts";

const options = {
  ...stackOptions,
  file: { type: "string" },
  "show-secrets": { type: "boolean" },
  json: { type: "boolean", short: "j" },
  yes: { type: "boolean", short: "y" },
  force: { type: "boolean", short: "f" },
  "preserve-config": { type: "boolean" },
} as const;

/** Which options an action has beside those that choose the stack. */
const actions: Readonly<Record<string, readonly (keyof typeof options)[]>> = {
  ls: ["json"],
  export: ["file", "show-secrets"],
  import: ["file"],
  rm: ["yes", "force", "preserve-config"],
};

export const stackCommand: Command = {
  name: "stack",
  summary: "List, export, import and remove stacks: how one moves to another place",
  help: `List, export, import and remove stacks, as \`pulumi stack\` does. docs/moving.md tells how a stack moves to the Pulumi CLI,
to another backend or to Pulumi Cloud, and back.

Usage: k8sauth stack ls [--json]
       k8sauth stack export [--file FILE] [--show-secrets] [OPTIONS]
       k8sauth stack import [--file FILE] [OPTIONS]
       k8sauth stack rm [--yes] [--force] [--preserve-config] [OPTIONS]

  ls       The stacks of the project, with the number of their resources.
  export   Prints a stack's state as JSON. Secrets stay encrypted by the stack's passphrase.
  import   Makes such a document (on standard input) the state of the stack, in place of what it has; a copy of that stays
           in .pulumi/backups. Every reference, every name and every secret is checked before anything is written.
  rm       Forgets a stack that has no resources any more, with its settings file.

Options:
${stackOptionsHelp}
      --file FILE         Write to, or read from, a file
      --show-secrets      Export secrets in plaintext: for a target with other keys. Keep such a file as you keep a key
  -j, --json              Print JSON
  -y, --yes               Do not ask; needed where there is no terminal
  -f, --force             Remove a stack that still has resources; they stay in the cluster, and so do its credentials
      --preserve-config   Keep the settings file

Examples:
  k8sauth stack ls
  k8sauth stack export --stack prod --file prod.json
  PULUMI_BACKEND_URL=file:///srv/state k8sauth stack import --stack prod --file prod.json
  k8sauth stack rm --stack trial --yes

Exit status: 0 done, 1 failed (nothing was changed) or not confirmed, 2 wrong usage, 130 interrupted.
`,
  async run(args, io) {
    const { values, positionals } = parse(args, options, 1);
    const [action = ""] = positionals;
    const allowed = actions[action];
    if (!allowed) {
      throw new UsageError(
        `${action ? `there is no action "${action}"` : "it needs an action"}: ${Object.keys(actions).join(", ")}`,
      );
    }
    const given = (Object.keys(values) as (keyof typeof options)[]).filter((key) => !(key in stackOptions));
    const stray = given.find((key) => !allowed.includes(key));
    if (stray) throw new UsageError(`${action} has no option --${stray}`);
    if (action === "ls") return list(values, io);
    const chosen = await chooseStack(values, io, new Display(io, false).emit);
    if (action === "export") return print(chosen, values.file, values["show-secrets"] === true, io);
    if (action === "import") return take(chosen, values.file, io);
    if (!values.yes && !(await confirm(`Remove the stack "${chosen.stack}"?`, chosen.stack, io))) return 1;
    await removeStack({ ...chosen, force: values.force, preserveConfig: values["preserve-config"] });
    io.err(`The stack "${chosen.stack}" is removed.\n`);
    return 0;
  },
};

async function list({ cwd, json }: { cwd?: string; json?: boolean }, io: Io): Promise<number> {
  const stacks = await listStacks({ folder: projectFolder(cwd), env: io.env, emit: () => {} });
  io.out(json ? `${JSON.stringify(stacks, undefined, 2)}\n` : table(stacks));
  return 0;
}

function table(stacks: readonly StackSummary[]): string {
  const width = Math.max(4, ...stacks.map(({ name }) => name.length));
  const row = (name: string, resources: string, written: string) =>
    `${name.padEnd(width)}  ${resources.padStart(9)}  ${written}\n`;
  const rows = stacks.map(({ name, resources, lastUpdate }) => row(name, String(resources), lastUpdate ?? "-"));
  return row("NAME", "RESOURCES", "LAST UPDATE") + rows.join("");
}

async function print(stack: StackOptions, file: string | undefined, showSecrets: boolean, io: Io): Promise<number> {
  const text = `${JSON.stringify(await exportStack({ ...stack, showSecrets }), undefined, 4)}\n`;
  if (file === undefined) io.out(text);
  else {
    // Whatever stands there keeps its mode otherwise, and may be open to all.
    await using handle = await open(file, "w", 0o600);
    await handle.chmod(0o600);
    await handle.writeFile(text);
  }
  return 0;
}

async function take(stack: StackOptions, file: string | undefined, io: Io): Promise<number> {
  const text = await readFile(file ?? "/dev/stdin", "utf8");
  let document: Value;
  try {
    document = JSON.parse(text) as Value;
  } catch {
    // The parser's own message quotes the text, which may hold secrets.
    throw new UsageError(`${file ?? "standard input"} is not JSON; it is what \`stack export\` prints`);
  }
  const { resources, backup } = await importStack(stack, document);
  io.err(`Imported: the stack "${stack.stack}" has ${resources} resource${resources === 1 ? "" : "s"} now.\n`);
  if (backup) io.err(`The state before is in ${backup}.\n`);
  return 0;
}
