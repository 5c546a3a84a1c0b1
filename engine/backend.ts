import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { link, mkdir, open, readdir, readFile, rename, rm, unlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Checkpoint, corrupt, readCheckpoint } from "./checkpoint.ts";
import { EngineError, messageOf, systemCode } from "./errors.ts";
import { isObject, type Value } from "./values.ts";

/** Which stack: Pulumi's file backend knows one organization, called `organization`. */
export interface StackName {
  readonly project: string;
  readonly stack: string;
}

const organization = "organization";
/** As Pulumi has it; names of dots alone would lead to other folders. */
const namePattern = /^(?!\.+$)[A-Za-z0-9_.-]{1,100}$/;

/**
 * Pulumi's file backend: `PULUMI_BACKEND_URL=file://DIR` keeps stacks in `DIR/.pulumi`. This class reads and writes the
 * same files as the Pulumi CLI does, so that either goes on where the other stopped.
 */
export class FileBackend {
  readonly root: string;

  constructor(root: string) {
    this.root = join(root, ".pulumi");
  }

  /** Throws `STACK_NAME_INVALID`. */
  stackFile(name: StackName): string {
    checkName(name);
    return join(this.root, "stacks", name.project, `${name.stack}.json`);
  }

  /** Throws `STACK_NAME_INVALID`. */
  lockFolder(name: StackName): string {
    checkName(name);
    return join(this.root, "locks", organization, name.project, name.stack);
  }

  /** The project's stacks by name. */
  async list(project: string): Promise<string[]> {
    const files = await readdir(join(this.root, "stacks", project)).catch(ignore("ENOENT", [] as string[]));
    return files
      .filter((file) => file.endsWith(".json"))
      .map((file) => file.slice(0, -".json".length))
      .sort();
  }

  /** The last saved state; undefined for a stack that was never saved. Throws `STATE_CORRUPT` or `STATE_FOREIGN`. */
  async load(name: StackName): Promise<Checkpoint | undefined> {
    const file = this.stackFile(name);
    if (existsSync(`${file}.gz`)) {
      throw new EngineError(
        "STATE_FOREIGN",
        `${file}.gz is a compressed state, which the embedded engine does not read.`,
      );
    }
    const text = await readFile(file, "utf8").catch(ignore("ENOENT", undefined));
    return text === undefined ? undefined : parseCheckpoint(text, file, name);
  }

  /** Writes the state atomically: the old one is whole until the new one is on the disk. */
  async save(name: StackName, checkpoint: Checkpoint): Promise<void> {
    const { version, features, deployment } = checkpoint;
    const content = {
      version,
      ...(features && { features }),
      checkpoint: { stack: `${organization}/${name.project}/${name.stack}`, latest: deployment },
    };
    await this.#describe();
    await writeAtomically(this.stackFile(name), `${JSON.stringify(content, undefined, 4)}\n`);
  }

  /**
   * Copies the state beside, as the CLI does before it writes: `.pulumi/backups/PROJECT/STACK/STACK.NANOSECONDS.json`.
   * Answers the copy's path; undefined for a stack that was never saved.
   */
  async backUp(name: StackName): Promise<string | undefined> {
    const content = await readFile(this.stackFile(name), "utf8").catch(ignore("ENOENT", undefined));
    if (content === undefined) return undefined;
    const nanoseconds = `${Date.now()}${String(process.hrtime.bigint() % 1_000_000n).padStart(6, "0")}`;
    const file = join(this.root, "backups", name.project, name.stack, `${name.stack}.${nanoseconds}.json`);
    await writeAtomically(file, content);
    return file;
  }

  /** Forgets a stack: its state file goes, its settings stay. */
  async remove(name: StackName): Promise<void> {
    await rm(this.stackFile(name), { force: true });
  }

  /** The file by which the CLI knows that stacks are kept by project. */
  async #describe(): Promise<void> {
    const file = join(this.root, "meta.yaml");
    const text = await readFile(file, "utf8").catch(ignore("ENOENT", undefined));
    if (text === undefined) {
      if (existsSync(join(this.root, "stacks"))) {
        const files = await readdir(join(this.root, "stacks"));
        if (files.some((entry) => entry.endsWith(".json"))) {
          throw new EngineError(
            "STATE_FOREIGN",
            `${this.root} is laid out as Pulumi did before version 3.61 (stacks without projects). ` +
              "Run `pulumi state upgrade` on it first.",
          );
        }
      }
      await writeAtomically(file, "version: 1\n");
    } else if (!/^version:\s*1\s*$/m.test(text)) {
      throw new EngineError(
        "STATE_FOREIGN",
        `${file} does not say "version: 1", the only layout that this engine knows.`,
      );
    }
  }
}

/**
 * The backend that the environment names: `PULUMI_BACKEND_URL` (file: URLs only), else the given state folder.
 * Throws `BACKEND_UNSUPPORTED` for every other kind.
 */
export function openBackend(env: NodeJS.ProcessEnv, stateFolder: () => string): FileBackend {
  const url = env.PULUMI_BACKEND_URL;
  if (!url) return new FileBackend(stateFolder());
  if (!url.startsWith("file://")) {
    throw new EngineError(
      "BACKEND_UNSUPPORTED",
      `PULUMI_BACKEND_URL is a ${url.split(":")[0]}: URL; the embedded engine keeps state in files alone ` +
        "(file:///path/of/a/folder). Use the Pulumi CLI for other backends.",
    );
  }
  return new FileBackend(folderOf(url));
}

/** `file:///abs`, `file://./rel`, `file://~` and `file://~/sub`, as the Pulumi CLI reads them. */
function folderOf(url: string): string {
  const path = url.slice("file://".length);
  if (path === "~" || path.startsWith("~/")) return join(homedir(), path.slice(1));
  return path.startsWith("/") ? fileURLToPath(url) : resolve(path);
}

function checkName(name: StackName): void {
  for (const [what, value] of Object.entries(name)) {
    if (!namePattern.test(value)) {
      throw new EngineError(
        "STACK_NAME_INVALID",
        `"${value}" can't be a ${what}'s name: 1 to 100 letters, digits, "-", "_" and "." are allowed.`,
      );
    }
  }
}

function parseCheckpoint(text: string, file: string, name: StackName): Checkpoint {
  let json: Value;
  try {
    json = JSON.parse(text) as Value;
  } catch (error) {
    throw corrupt(file, `it is not JSON (${messageOf(error)})`);
  }
  if (!isObject(json) || !isObject(json.checkpoint)) throw corrupt(file, 'it has no "checkpoint"');
  const { stack, latest = {} } = json.checkpoint;
  const checkpoint = readCheckpoint(json, latest ?? {}, file);
  const own = [`${organization}/${name.project}/${name.stack}`, name.stack];
  if (typeof stack === "string" && !own.includes(stack)) {
    throw new EngineError("STATE_FOREIGN", `${file} holds the state of "${stack}", not of "${own[0]}".`);
  }
  return checkpoint;
}

/** Writes a file so that a crash leaves the old content or the new, never a part. Readable by the owner alone. */
export async function writeAtomically(file: string, content: string): Promise<void> {
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(temporary, "w", 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw new EngineError("STATE_UNWRITABLE", `${file} could not be written: ${messageOf(error)}`, { cause: error });
  }
}

/** Writes a new file for the owner alone, whole or not at all; fails with `EEXIST` where it exists. */
export async function writeNew(file: string, content: string): Promise<void> {
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  try {
    await writeFile(temporary, content, { mode: 0o600, flag: "wx" });
    await link(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}

function ignore<T>(code: string, instead: T): (error: unknown) => T {
  return (error) => {
    if (systemCode(error) === code) return instead;
    throw error;
  };
}
