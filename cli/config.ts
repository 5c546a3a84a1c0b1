import { openStack } from "../engine/index.ts";
import { asText, withoutCiphertexts } from "../engine/settings.ts";
import type { Command, Io } from "./command.ts";
import { chooseStack } from "./stack.ts";
import { parse, stackOptions, stackOptionsHelp, UsageError } from "./usage.ts";

export const configCommand: Command = {
  name: "config",
  summary: "Show and change the stack's settings",
  help: `Show and change the settings of a stack (Pulumi.STACK.yaml), as \`pulumi config\` does.

Usage: k8sauth config [OPTIONS]
       k8sauth config set KEY [VALUE] [--secret] [OPTIONS]
       k8sauth config rm KEY [OPTIONS]

Without VALUE it is read from standard input: the way for secrets, which would else show in the process list.

Options:
${stackOptionsHelp}
      --secret            Encrypt the value

Examples:
  k8sauth config --stack prod
  k8sauth config set kubernetesHost https://api.example.com:6443 --stack prod
  k8sauth config set akeylessSigningKey --secret --stack prod < key.b64

Exit status: 0 done, 1 failed, 2 wrong usage.
`,
  async run(args, io) {
    const { values, positionals } = parse(args, { ...stackOptions, secret: { type: "boolean" } } as const, 3);
    const [action, key, value] = positionals;
    const stack = await openStack(await chooseStack(values, io, () => {}));
    const { project, settings } = stack;
    if (action === undefined) return show(project, settings.config, io);
    if (key === undefined) throw new UsageError(`${action} needs a KEY`);
    const full = key.includes(":") ? key : `${project.name}:${key}`;
    if (full.startsWith(`${project.name}:`) && !project.config.has(full)) {
      throw new UsageError(
        `there is no setting "${key}". Settings: ${[...project.config.keys()].map(short(project.name)).join(", ")}`,
      );
    }
    if (action === "rm") settings.removeConfig(full);
    else if (action === "set") {
      const plaintext = value ?? (await standardInput());
      if (!values.secret) settings.setConfig(full, plaintext);
      else {
        const { settings: crypter } = await stack.crypters();
        settings.salt = crypter.salt;
        settings.setConfig(full, { secure: crypter.encrypt(plaintext) });
      }
    } else throw new UsageError(`there is no action "${action}"; it is set or rm`);
    await settings.save();
    return 0;
  },
};

type Project = Awaited<ReturnType<typeof openStack>>["project"];
type Config = Awaited<ReturnType<typeof openStack>>["settings"]["config"];

function show(project: Project, config: Config, io: Io): number {
  for (const key of new Set([...project.config.keys(), ...Object.keys(config)])) {
    const value = config[key];
    const declared = project.config.get(key);
    const shown =
      value === undefined ? `${asText(declared?.default ?? "") || "-"} (default)` : asText(withoutCiphertexts(value));
    io.out(`${short(project.name)(key)}: ${shown}\n`);
  }
  return 0;
}

function short(project: string): (key: string) => string {
  return (key) => (key.startsWith(`${project}:`) ? key.slice(project.length + 1) : key);
}

async function standardInput(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
  return text.trimEnd();
}
