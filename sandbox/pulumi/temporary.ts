import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { storageError } from "../build/paths.ts";
import { identify, isAlive, type ProcessIdentity } from "../build/process.ts";

/**
 * A folder for the temporary files of one run of the CLI, which only its user can enter. Pulumi's Kubernetes plugin writes its kubeconfig with
 * all keys to a temporary file and does not delete it.
 */
export class TemporaryFolder implements Disposable {
  readonly path: string;
  readonly #remove = () => rmSync(this.path, { recursive: true, force: true });

  private constructor(path: string) {
    this.path = path;
    process.once("exit", this.#remove);
  }

  /**
   * Creates the folder, and removes folders of killed runs.
   *
   * @param home a `PULUMI_HOME`
   * @throws SandboxError SANDBOX_STORAGE, SANDBOX_DISK_FULL
   */
  static create(home: string): TemporaryFolder {
    const parent = join(home, "tmp");
    try {
      mkdirSync(parent, { recursive: true, mode: 0o700 });
      removeAbandoned(parent);
      return new TemporaryFolder(mkdtempSync(join(parent, `${nameOf(identify(process.pid))}-`)));
    } catch (error) {
      throw storageError("Creating a folder for temporary files", parent, error);
    }
  }

  /** If this process is killed, keeps the folder as long as another process runs. */
  keepFor(pid: number | undefined): void {
    if (pid !== undefined) writeFileSync(join(this.path, `.${nameOf(identify(pid))}`), "");
  }

  [Symbol.dispose](): void {
    process.removeListener("exit", this.#remove);
    this.#remove();
  }
}

function nameOf({ pid, started }: ProcessIdentity): string {
  return `${pid}-${started}`;
}

/** Removes the folders that no running process uses. */
function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    const folder = join(parent, name);
    if (usersOf(folder, name).some(isAlive)) continue;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The process that created a folder, and those for which it is kept. */
function usersOf(folder: string, name: string): ProcessIdentity[] {
  return [`.${name}`, ...names(folder)].flatMap((text) => {
    const [, pid, started = ""] = /^\.(\d+)-(\d*)/.exec(text) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), started }];
  });
}

/** Files of a folder. Empty if another process has removed the folder. */
function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
