import { randomBytes } from "node:crypto";
import {
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
import { stateHome, storageError } from "../build/paths.ts";

/** Where stacks are kept when no `PULUMI_BACKEND_URL` says otherwise: `$XDG_STATE_HOME/k8sauth` or `~/.local/state/k8sauth`. */
export function stackFolder(env: NodeJS.ProcessEnv): string {
  return stateHome(env);
}

/**
 * The URL of a backend in a folder. Without `metadata=skip` Pulumi writes a side file with a checksum beside each state, and not in one
 * step: a run that is killed meanwhile leaves it empty, and every command then fails with `failed to load checkpoint: EOF`.
 */
export function fileBackend(folder: string): string {
  return `file://${folder}?metadata=skip`;
}

/** Holds every `PULUMI_HOME`. */
export function homesFolder(env: NodeJS.ProcessEnv): string {
  return join(stateHome(env), "pulumi");
}

/**
 * Creates a `PULUMI_HOME`: credentials, plugins and logs of the CLI. The user's own, `~/.pulumi`, is never touched.
 *
 * @param name tells the home of the CLI that is built from that of an installed one
 * @throws SandboxError SANDBOX_STORAGE, SANDBOX_DISK_FULL, SANDBOX_NO_HOME
 */
export function createHome(name: string, env: NodeJS.ProcessEnv): string {
  const home = join(homesFolder(env), name);
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    // Pulumi writes a log at every command, and stops if it cannot.
    const probe = join(home, `.${process.pid}.${randomBytes(4).toString("hex")}`);
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (error) {
    throw storageError("Creating the home of the Pulumi CLI", home, error);
  }
  removeOldLogs(join(home, "logs"));
  return home;
}

/** Puts a plugin's executable where the CLI looks for that version. */
export function linkPlugin(home: string, name: string, version: string, executable: string): void {
  replaceLink(join(home, "plugins", `resource-${name}-v${version}`, `pulumi-resource-${name}`), executable);
}

/**
 * Links the CLI in a folder for the PATH, and returns that folder. It holds the CLI alone: of plugins on the PATH the CLI warns at
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
 * The file with the passphrase of stacks whose user gives none: generated once, readable by the user alone.
 *
 * @throws SandboxError SANDBOX_STORAGE, SANDBOX_DISK_FULL
 */
export function passphraseFile(env: NodeJS.ProcessEnv): string {
  const file = join(stateHome(env), "passphrase");
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    if (isFilled(file)) return file;
    writeFileSync(draft, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600 });
    // Fails when another process was first, whose passphrase then counts.
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw storageError("Writing the passphrase of the stacks", file, error);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return file;
}

function isFilled(file: string): boolean {
  try {
    return readFileSync(file, "utf8").trim() !== "";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Logs are kept for a day, in case a run has to be explained. */
const logAgeMs = 24 * 3600 * 1000;

/** Every command of the CLI writes a log file; without this they would pile up. */
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
      // Another process may have been faster.
    }
  }
}
