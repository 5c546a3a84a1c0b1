import { join } from "node:path";
import { SandboxError } from "./errors.ts";

/** Folder of files that can be created again: `$XDG_CACHE_HOME` or `~/.cache`, then `k8sauth`. @throws SandboxError SANDBOX_NO_HOME */
export function cacheHome(env: NodeJS.ProcessEnv): string {
  return join(base(env, "XDG_CACHE_HOME", ".cache"), "k8sauth");
}

/** Folder of persistent files: `$XDG_STATE_HOME` or `~/.local/state`, then `k8sauth`. @throws SandboxError SANDBOX_NO_HOME */
export function stateHome(env: NodeJS.ProcessEnv): string {
  return join(base(env, "XDG_STATE_HOME", join(".local", "state")), "k8sauth");
}

/** Folder of built binaries. */
export function cacheRoot(env: NodeJS.ProcessEnv): string {
  return join(cacheHome(env), "sandbox");
}

/** Folder of the sandboxes that run in the background. */
export function stateRoot(env: NodeJS.ProcessEnv): string {
  return join(stateHome(env), "sandbox");
}

/** Ignores relative paths in XDG variables (XDG Base Directory Specification). */
function base(env: NodeJS.ProcessEnv, variable: string, underHome: string): string {
  const set = env[variable];
  if (set?.startsWith("/")) return set;
  const home = env.HOME;
  if (home?.startsWith("/")) return join(home, underHome);
  throw new SandboxError(
    "SANDBOX_NO_HOME",
    `The sandbox keeps its files in your home folder, but neither HOME nor ${variable} is set to an absolute path. Set one of them.`,
  );
}

/**
 * Checks the name of a sandbox: a DNS label of at most 40 characters, which is the name of a folder and of a kubeconfig context.
 *
 * @throws SandboxError SANDBOX_NAME_INVALID
 */
export function checkName(name: string): string {
  if (/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/.test(name)) return name;
  throw new SandboxError(
    "SANDBOX_NAME_INVALID",
    `${JSON.stringify(name)} cannot be the name of a sandbox: expected 1 to 40 lower-case letters, digits and dashes, with no dash at the start or end.`,
  );
}

/** Wraps an error of the file system. @param what the operation that failed */
export function storageError(what: string, path: string, cause: unknown): SandboxError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new SandboxError(
    full ? "SANDBOX_DISK_FULL" : "SANDBOX_STORAGE",
    `${what} failed in ${path} (${code}): ${full ? "free some space there" : "make sure that this folder is yours and can be written"}, or point XDG_CACHE_HOME and XDG_STATE_HOME to other folders.`,
    { cause },
  );
}
