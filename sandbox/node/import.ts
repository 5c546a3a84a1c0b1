import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { SandboxError } from "../build/errors.ts";
import { type ImageSpec, writeImageArchive } from "./image.ts";
import { nodeFiles } from "./plan.ts";
import { nodeTools } from "./requirements.ts";

const run = promisify(execFile);

/** An image to import: its files, or an existing archive (OCI layout or docker-save, with names). */
export type ImageSource = ImageSpec | { readonly archive: string };

/**
 * Imports an image into the store of the node of the sandbox in a folder.
 *
 * @param signal cancels the import
 * @throws SandboxError SANDBOX_IMAGE_FAILED, SANDBOX_ABORTED
 */
export async function importImage(dir: string, source: ImageSource, signal?: AbortSignal): Promise<void> {
  if ("archive" in source) return importArchive(dir, source.archive, signal);
  const folder = mkdtempSync(join(tmpdir(), "k8sauth-image-"));
  try {
    const archive = join(folder, "image.tar");
    try {
      writeImageArchive(source, archive);
    } catch (cause) {
      throw imageError(source.name, cause);
    }
    await importArchive(dir, archive, signal);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Waits until containerd has opened its socket. Does not check whether containerd runs.
 *
 * @throws SandboxError SANDBOX_TIMEOUT, SANDBOX_ABORTED
 */
export async function containerdListens(dir: string, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!existsSync(join(dir, nodeFiles.containerdSocket))) {
    if (Date.now() > deadline || signal?.aborted) {
      if (signal?.aborted) throw new SandboxError("SANDBOX_ABORTED", "Starting the sandbox was cancelled.");
      throw new SandboxError(
        "SANDBOX_TIMEOUT",
        `containerd of the sandbox in ${dir} did not open its socket within ${timeoutMs / 1000} s. Its log is in ${join(dir, "logs")}.`,
      );
    }
    await delay(20, undefined, { ref: false });
  }
}

async function importArchive(dir: string, archive: string, signal?: AbortSignal): Promise<void> {
  // The path of a socket has at most about 100 bytes, so it is relative to the folder.
  const args = ["--address", nodeFiles.containerdSocket, "--namespace", "k8s.io", "images", "import", archive];
  try {
    await run(nodeTools().ctr, args, { cwd: dir, signal, timeout: 120_000 });
  } catch (cause) {
    if (signal?.aborted) throw new SandboxError("SANDBOX_ABORTED", `Importing ${archive} was cancelled.`, { cause });
    throw imageError(archive, cause);
  }
}

function imageError(what: string, cause: unknown): SandboxError {
  const { stderr, message } = cause as { stderr?: string; message: string };
  return new SandboxError(
    "SANDBOX_IMAGE_FAILED",
    `The image ${what} could not be imported into the sandbox's node: ${(stderr || message).trim().slice(-400)}. Check its files and that the sandbox runs.`,
    { cause },
  );
}
