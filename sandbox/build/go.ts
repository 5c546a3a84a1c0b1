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
  /** Every line of standard error as it comes. */
  readonly onLine?: (line: string) => void;
}

/** Settings of the user's that would make another binary, or none: the binary is for this machine, pure Go, as go.mod says. */
export function goEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { GOOS: _os, GOARCH: _arch, ...rest } = env;
  return { ...rest, CGO_ENABLED: "0", GO111MODULE: "on", GOWORK: "off" };
}

/**
 * Runs the Go command.
 *
 * @throws SandboxError SANDBOX_GO_MISSING, SANDBOX_ABORTED, or what {@link explainGoFailure} makes of its output
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
  return new SandboxError(
    "SANDBOX_ABORTED",
    "Building the sandbox was cancelled; the next start goes on where it was.",
  );
}

function goMissing(): SandboxError {
  return new SandboxError(
    "SANDBOX_GO_MISSING",
    "The sandbox is built from Go modules on first use, but there is no `go` on the PATH. Install Go 1.26 or later (https://go.dev/dl/), then try again.",
  );
}

/** Makes an error with a remedy out of what the Go command printed. */
export function explainGoFailure(lines: readonly string[], status: string): SandboxError {
  const text = lines.map(withoutCredentials).join("\n");
  // Progress lines (an import path, or the trace of a request) say nothing about the failure.
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
      `Building the sandbox ran out of disk space: it needs about 4 GB in Go's caches (GOMODCACHE, GOCACHE) and the temporary folder. Free some, then try again; what is built is kept. ${detail}`,
    );
  }
  if (/checksum mismatch|SECURITY ERROR/.test(text)) {
    return new SandboxError(
      "SANDBOX_DOWNLOAD_FAILED",
      `A Go module that was downloaded is not the one that go.sum names, and was not used: ask the operator of your module proxy. ${detail}`,
    );
  }
  if (
    /dial tcp|no such host|i\/o timeout|connection re(fused|set)|proxyconnect|TLS handshake|lookup disabled|: (4|5)\d\d |unexpected EOF|tls: /.test(
      text,
    )
  ) {
    return new SandboxError(
      "SANDBOX_DOWNLOAD_FAILED",
      `Go modules could not be downloaded: check the network, or set GOPROXY to a module proxy that this machine can reach. What is there already is kept. ${detail}`,
    );
  }
  const memory = /signal: killed/.test(text) || status === "SIGKILL" ? " It needs about 2 GB of free memory." : "";
  return new SandboxError("SANDBOX_BUILD_FAILED", `Building the sandbox failed.${memory} ${detail}`);
}

/** Takes user and password out of URLs: a module proxy may need them, a message does not. */
function withoutCredentials(line: string): string {
  return line.replace(/\/\/[^/@\s]+@/g, "//");
}
