import { randomBytes } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { SandboxError } from "../build/errors.ts";
import { stateHome, storageError } from "../build/paths.ts";

/** Folder of stacks without `PULUMI_BACKEND_URL`: `$XDG_STATE_HOME/k8sauth` or `~/.local/state/k8sauth`. */
export function stackFolder(env: NodeJS.ProcessEnv): string {
  return stateHome(env);
}

/**
 * URL of a backend in a folder. Without `metadata=skip` Pulumi writes a checksum file for each state, and not atomically: if a run is killed
 * meanwhile, the file is empty, and all commands fail with `failed to load checkpoint: EOF`.
 */
export function fileBackend(folder: string): string {
  return `file://${folder}?metadata=skip`;
}

/** Folder of all `PULUMI_HOME`s. */
export function homesFolder(env: NodeJS.ProcessEnv): string {
  return join(stateHome(env), "pulumi");
}

/**
 * Creates a `PULUMI_HOME`: credentials, plugins and logs of the CLI. It does not use `~/.pulumi`.
 *
 * @param name distinguishes the homes of a built and of an installed CLI
 * @throws SandboxError SANDBOX_STORAGE, SANDBOX_DISK_FULL, SANDBOX_NO_HOME
 */
export function createHome(name: string, env: NodeJS.ProcessEnv): string {
  const home = join(homesFolder(env), name);
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    // Pulumi fails if it cannot write the log of a command.
    const probe = join(home, `.${process.pid}.${randomBytes(4).toString("hex")}`);
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (error) {
    throw storageError("Creating the home of the Pulumi CLI", home, error);
  }
  removeOldLogs(join(home, "logs"));
  return home;
}

/** Links a plugin's executable to the path at which the CLI looks for that version. */
export function linkPlugin(home: string, name: string, version: string, executable: string): void {
  replaceLink(join(home, "plugins", `resource-${name}-v${version}`, `pulumi-resource-${name}`), executable);
}

/**
 * Links the CLI in a folder for the PATH and returns that folder. It contains no plugins, because the CLI warns about plugins on the PATH in
 * every run.
 */
export function linkCommand(home: string, command: string): string {
  const folder = join(home, "bin");
  replaceLink(join(folder, "pulumi"), command);
  return folder;
}

function replaceLink(link: string, executable: string): void {
  try {
    if (readLink(link) === executable) return;
    mkdirSync(dirname(link), { recursive: true, mode: 0o700 });
    const draft = `${link}.${process.pid}.${randomBytes(4).toString("hex")}`;
    symlinkSync(executable, draft);
    renameSync(draft, link);
  } catch (error) {
    throw storageError("Linking the Pulumi CLI or a plugin", link, error);
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Whether a home has a plugin in this version. */
export function hasPlugin(home: string, name: string, version: string): boolean {
  try {
    return readdirSync(join(home, "plugins", `resource-${name}-v${version}`)).length > 0;
  } catch {
    return false;
  }
}

/**
 * The file with a generated passphrase, for stacks whose user sets none. Only the user can read it.
 *
 * @throws SandboxError SANDBOX_STORAGE, SANDBOX_DISK_FULL; PULUMI_PASSPHRASE_MISSING if there are stacks, which a new passphrase cannot decrypt
 */
export function passphraseFile(env: NodeJS.ProcessEnv): string {
  const file = join(stateHome(env), "passphrase");
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    if (isFilled(file)) return file;
    requireNoStacks(env, file);
    writeFileSync(draft, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600 });
    // Fails if another process has created the file. Its passphrase is used then.
    linkSync(draft, file);
  } catch (error) {
    if (error instanceof SandboxError) throw error;
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw storageError("Writing the passphrase of the stacks", file, error);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return file;
}

function requireNoStacks(env: NodeJS.ProcessEnv, file: string): void {
  const folder = join(stackFolder(env), ".pulumi", "stacks");
  if (env.PULUMI_BACKEND_URL || !hasFiles(folder)) return;
  throw new SandboxError(
    "PULUMI_PASSPHRASE_MISSING",
    `There are stacks in ${folder}, but no passphrase that decrypts them: ${file} is missing, and PULUMI_CONFIG_PASSPHRASE is not set. Restore the file, or set the variable. If the passphrase is lost, see docs/state.md.`,
  );
}

function hasFiles(folder: string): boolean {
  return (
    existsSync(folder) && readdirSync(folder, { recursive: true, withFileTypes: true }).some((entry) => entry.isFile())
  );
}

function isFilled(file: string): boolean {
  try {
    return readFileSync(file, "utf8").trim() !== "";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Logs are kept for a day. */
const logAgeMs = 24 * 3600 * 1000;

/** Deletes old log files. Every command of the CLI writes one. */
function removeOldLogs(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return; // Nothing has run yet.
  }
  for (const name of names) {
    const path = join(folder, name);
    try {
      if (Date.now() - statSync(path).mtimeMs > logAgeMs) rmSync(path, { force: true });
    } catch {
      // Another process may have removed it.
    }
  }
}
