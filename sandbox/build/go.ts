import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { SandboxError } from "./errors.ts";

export interface GoRun {
  readonly stdout: string;
}

export interface GoOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  /** Called for each line of standard error. */
  readonly onLine?: (line: string) => void;
}

/**
 * The environment of Go commands. It overrides settings of the user that change the binary or prevent the build: the target is this machine, cgo
 * is off, and the go.mod alone selects the modules.
 */
export function goEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { GOOS: _os, GOARCH: _arch, ...rest } = env;
  return { ...rest, CGO_ENABLED: "0", GO111MODULE: "on", GOWORK: "off" };
}

/**
 * Runs the Go command.
 *
 * @throws SandboxError SANDBOX_GO_MISSING, SANDBOX_ABORTED, or an error of {@link explainGoFailure}
 */
export function runGo(args: readonly string[], options: GoOptions): Promise<GoRun> {
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted) {
      reject(aborted());
      return;
    }
    const child = spawn("go", args, {
      cwd: options.cwd,
      env: goEnvironment(options.env),
      stdio: ["ignore", "pipe", "pipe"],
      signal: options.signal,
      killSignal: "SIGTERM",
    });
    let stdout = "";
    const tail: string[] = [];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    createInterface({ input: child.stderr }).on("line", (line) => {
      tail.push(line);
      if (tail.length > 200) tail.shift();
      options.onLine?.(line);
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (error.name === "AbortError") reject(aborted());
      else reject(error.code === "ENOENT" ? goMissing() : error);
    });
    child.on("close", (code, killedBy) => {
      if (code === 0) resolve({ stdout });
      else if (options.signal?.aborted) reject(aborted());
      else reject(explainGoFailure(tail, killedBy ?? `exit status ${code}`));
    });
  });
}

function aborted(): SandboxError {
  return new SandboxError("SANDBOX_ABORTED", "Building the sandbox was cancelled. The next start continues the build.");
}

function goMissing(): SandboxError {
  return new SandboxError(
    "SANDBOX_GO_MISSING",
    "The sandbox is built from Go modules on first use, but there is no `go` on the PATH. Install Go 1.26 or later (https://go.dev/dl/), then try again.",
  );
}

/** An error with a remedy for the output of a failed Go command. */
export function explainGoFailure(lines: readonly string[], status: string): SandboxError {
  const text = lines.map(withoutCredentials).join("\n");
  // Lines with only an import path or a request are progress.
  const shown = text
    .split("\n")
    .filter((line) => line !== "" && !/^(# get |# [^ ]+$|[\w.-]+(\/[\w.~!-]+)*$)/.test(line))
    .slice(-6)
    .join("\n  ");
  const detail = shown === "" ? status : `${status}\n  ${shown}`;
  if (/requires go >= |invalid go version|unknown directive: (toolchain|godebug)|toolchain not available/.test(text)) {
    return new SandboxError(
      "SANDBOX_GO_TOO_OLD",
      `The sandbox needs Go 1.26 or later; the \`go\` on the PATH is older and may not fetch a newer one: ${detail}`,
    );
  }
  if (/no space left on device|disk quota exceeded/.test(text)) {
    return new SandboxError(
      "SANDBOX_DISK_FULL",
      `Building the sandbox ran out of disk space: it needs about 4 GB in Go's caches (GOMODCACHE, GOCACHE) and the temporary folder. Free some space, then try again. Finished parts of the build are kept. ${detail}`,
    );
  }
  if (/checksum mismatch|SECURITY ERROR/.test(text)) {
    return new SandboxError(
      "SANDBOX_DOWNLOAD_FAILED",
      `The checksum of a downloaded Go module differs from go.sum, so the module was not used. Ask the operator of your module proxy. ${detail}`,
    );
  }
  if (
    /dial tcp|no such host|i\/o timeout|connection re(fused|set)|proxyconnect|TLS handshake|lookup disabled|: (4|5)\d\d |unexpected EOF|tls: /.test(
      text,
    )
  ) {
    return new SandboxError(
      "SANDBOX_DOWNLOAD_FAILED",
      `Go modules could not be downloaded. Check the network, or set GOPROXY to a module proxy that this machine can reach. Finished downloads are kept. ${detail}`,
    );
  }
  const memory = /signal: killed/.test(text) || status === "SIGKILL" ? " It needs about 2 GB of free memory." : "";
  return new SandboxError("SANDBOX_BUILD_FAILED", `Building the sandbox failed.${memory} ${detail}`);
}

/** Removes user and password, which a module proxy may need, from URLs. */
function withoutCredentials(line: string): string {
  return line.replace(/\/\/[^/@\s]+@/g, "//");
}
