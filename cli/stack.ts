import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type EventSink, openBackend, type StackOptions, stateFolder } from "../engine/index.ts";
import { loadProject } from "../engine/project.ts";
import type { Io } from "./command.ts";
import { UsageError } from "./usage.ts";

interface Chosen {
  readonly stack?: string | undefined;
  readonly cwd?: string | undefined;
  readonly "config-file"?: string | undefined;
}

const productFolder = dirname(dirname(fileURLToPath(import.meta.url)));

/** The folder of the program: the one given, the present one if it is in a Pulumi project, else this product's own. */
export function projectFolder(cwd: string | undefined): string {
  if (cwd !== undefined) return resolve(cwd);
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "Pulumi.yaml"))) return folder;
    if (folder === dirname(folder)) return productFolder;
  }
}

/** What the engine needs to know of the stack that the command line chose. */
export async function chooseStack(values: Chosen, io: Io, emit: EventSink): Promise<StackOptions> {
  const folder = projectFolder(values.cwd);
  const stack = values.stack ?? io.env.K8SAUTH_STACK ?? (await onlyStack(folder, io));
  const configFile = values["config-file"];
  return {
    folder,
    stack,
    env: io.env,
    emit,
    signal: io.signal,
    ...(configFile && { configFile: resolve(configFile) }),
  };
}

async function onlyStack(folder: string, io: Io): Promise<string> {
  const { name } = await loadProject(folder);
  const stacks = await openBackend(io.env, () => stateFolder(io.env)).list(name);
  const [only] = stacks;
  if (only !== undefined && stacks.length === 1) return only;
  throw new UsageError(
    stacks.length === 0
      ? "there is no stack yet; name one with --stack"
      : `there are several stacks; choose one with --stack: ${stacks.join(", ")}`,
  );
}
