import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type GoOptions, runGo } from "./go.ts";
import { withLock } from "./lock.ts";
import { cacheRoot, storageError } from "./paths.ts";
import { type Progress, ProgressMeter } from "./progress.ts";

export interface BuildOptions {
  readonly onProgress?: (progress: Progress) => void;
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/** A Go program: a folder with a module of its own, so that each is built only where and when it is needed. */
export interface GoProgram {
  /** File name of the binary. */
  readonly name: string;
  /** What it is, in progress reports. */
  readonly title: string;
  /** Folder of its sources. */
  readonly source: string;
}

const folderOf = (path: string) => fileURLToPath(new URL(path, import.meta.url)).replace(/\/$/, "");

/** etcd, the Kubernetes servers and kubectl. */
const kubernetesProgram: GoProgram = { name: "k8s", title: "Kubernetes", source: folderOf(".") };

/** What a node needs beside them: CoreDNS, and what gives the node its own processes, mounts and network. */
export const nodePrograms = {
  dns: { name: "dns", title: "CoreDNS", source: folderOf("dns") },
  machine: { name: "machine", title: "the node's machine", source: folderOf("machine") },
} as const satisfies Record<string, GoProgram>;

/** Vault's own Kubernetes auth method. */
export const vaultProgram: GoProgram = {
  name: "vault-auth",
  title: "Vault's auth method",
  source: folderOf("gateways/vault"),
};

/** Consul's own Kubernetes auth method. */
export const consulProgram: GoProgram = {
  name: "consul-auth",
  title: "Consul's auth method",
  source: folderOf("gateways/consul"),
};

/** SPIRE's own node attestor for Kubernetes. */
export const spireProgram: GoProgram = {
  name: "spire-attestor",
  title: "SPIRE's node attestor",
  source: folderOf("gateways/spire"),
};

/** A binary that nobody used for so long goes when another one is built. */
const unusedMs = 30 * 24 * 3600 * 1000;

/**
 * Path of the one binary that holds etcd, the Kubernetes servers and kubectl; see {@link ensureProgram}.
 *
 * @throws SandboxError all that {@link ensureProgram} throws
 */
export function ensureBinary(options: BuildOptions = {}): Promise<string> {
  return ensureProgram(kubernetesProgram, options);
}

/**
 * Path of a program's binary. Built from Go modules on first use (minutes) and kept in the user's cache folder by the content of
 * its sources, so that every checkout of the same sources shares it. Several callers at once, in any number of processes, build
 * once: the others wait.
 *
 * @throws SandboxError SANDBOX_GO_MISSING, SANDBOX_GO_TOO_OLD, SANDBOX_DOWNLOAD_FAILED, SANDBOX_DISK_FULL,
 *   SANDBOX_BUILD_FAILED, SANDBOX_STORAGE, SANDBOX_NO_HOME, SANDBOX_BUSY, SANDBOX_ABORTED
 */
export async function ensureProgram(program: GoProgram, options: BuildOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  const root = cacheRoot(env);
  const go: GoOptions = { cwd: program.source, env, signal: options.signal };
  const target = JSON.parse((await runGo(["env", "-json", "GOVERSION", "GOOS", "GOARCH", "GOMODCACHE"], go)).stdout);
  const key = cacheKey(readSources(program.source), `${target.GOVERSION} ${target.GOOS}/${target.GOARCH}`);
  const folder = join(root, key);
  const binary = join(folder, program.name);
  if (isBuilt(binary)) return binary;

  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw storageError("Making the cache folder of the sandbox", folder, error);
  }
  const meter = new ProgressMeter(options.onProgress, program.title);
  let waiting = false;
  const onWait = () => {
    if (!waiting) meter.begin("wait");
    waiting = true;
  };
  try {
    const lock = { timeoutMs: 1_800_000, what: "Building the sandbox", signal: options.signal, onWait };
    await withLock(join(root, `${key}.lock`), lock, async () => {
      if (isBuilt(binary)) return;
      removeLeftovers(root, folder);
      await download(go, target.GOMODCACHE, meter);
      await compile(go, binary, meter);
    });
  } finally {
    meter.close();
  }
  return binary;
}

function isBuilt(binary: string): boolean {
  if (!existsSync(binary)) return false;
  const now = new Date();
  try {
    utimesSync(join(binary, ".."), now, now); // marks it as used
  } catch {
    // A cache that can only be read is as good.
  }
  return true;
}

/** Names and contents of what makes the binary, sorted by name. */
export function readSources(folder: string): readonly (readonly [name: string, content: string])[] {
  return readdirSync(folder)
    .filter((name) => name === "go.mod" || name === "go.sum" || name.endsWith(".go"))
    .sort()
    .map((name) => [name, readFileSync(join(folder, name), "utf8")] as const);
}

/** Names a build by all that it is made of: 20 hexadecimal digits of a SHA-256. */
export function cacheKey(sources: readonly (readonly [name: string, content: string])[], toolchain: string): string {
  const hash = createHash("sha256");
  const flags = buildFlags("").join(" ");
  for (const part of [toolchain, flags, ...sources.flat()]) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest("hex").slice(0, 20);
}

/**
 * Flags of `go build` and `go list`. The version goes into both packages that hold one: else the server says v0.0.0 and clients
 * guess.
 */
function buildFlags(version: string): string[] {
  const [, major = "", minor = ""] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: "clean" };
  const settings = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((path) =>
    Object.entries(values).map(([name, value]) => `-X ${path}.${name}=${value}`),
  );
  return ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", ["-s -w", ...settings].join(" ")];
}

/** Version of Kubernetes in a go.mod, with its `v`. */
export function kubernetesVersion(goMod: string): string {
  return /^\s*k8s\.io\/kubernetes (v\S+)$/m.exec(goMod)?.[1] ?? "v0.0.0";
}

interface ModFile {
  readonly Require: readonly { Path: string; Version: string }[] | null;
  readonly Replace: readonly { Old: { Path: string }; New: { Path: string; Version: string } }[] | null;
}

async function download(go: GoOptions, moduleCache: string, meter: ProgressMeter): Promise<void> {
  const file = JSON.parse((await runGo(["mod", "edit", "-json"], go)).stdout) as ModFile;
  const missing = moduleZips(file).filter((zip) => !existsSync(join(moduleCache, "cache", "download", zip)));
  if (missing.length === 0) return;
  meter.begin("download", missing.length);
  const onLine = (line: string) => {
    if (/^# get \S+\.zip: 200 /.test(line)) meter.step();
  };
  await runGo(["mod", "download", "-x"], { ...go, onLine });
}

/** Where the module cache keeps the archives of all modules of a go.mod (upper-case letters become `!` and lower case). */
export function moduleZips(file: ModFile): string[] {
  const replaced = new Map((file.Replace ?? []).map(({ Old, New }) => [Old.Path, New]));
  return (file.Require ?? []).map((module) => {
    const { Path, Version } = replaced.get(module.Path) ?? module;
    return `${Path}/@v/${Version}.zip`.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
  });
}

async function compile(go: GoOptions, binary: string, meter: ProgressMeter): Promise<void> {
  const flags = buildFlags(kubernetesVersion(readFileSync(join(go.cwd, "go.mod"), "utf8")));
  meter.begin("inspect");
  const list = await runGo(["list", ...flags, "-deps", "-f", "{{.ImportPath}}\t{{.Stale}}\t{{.StaleReason}}", "."], go);
  const pending = packagesToBuild(list.stdout);
  meter.begin("compile", pending.size);
  const output = `${binary}.${process.pid}.new`;
  const onLine = (line: string) => {
    // `go build -v` names each package that is not in the build cache as its compilation begins.
    if (!pending.delete(line)) return;
    meter.step();
    if (pending.size === 0) meter.begin("link");
  };
  try {
    await runGo(["build", ...flags, "-v", "-o", output, "."], { ...go, onLine });
    renameSync(output, binary);
  } finally {
    rmSync(output, { force: true });
  }
}

/** Import paths that have no object in the build cache, from the output of `go list`. */
export function packagesToBuild(list: string): Set<string> {
  const pending = new Set<string>();
  for (const line of list.split("\n")) {
    const [path = "", stale, reason = ""] = line.split("\t");
    if (stale === "true" && !reason.includes("available in build cache")) pending.add(path);
  }
  return pending;
}

/** Removes what killed builds and long unused versions have left; failing at it is no reason not to build. */
function removeLeftovers(root: string, folder: string): void {
  for (const name of readdirSync(folder)) if (name.endsWith(".new")) rmSync(join(folder, name), { force: true });
  for (const name of readdirSync(root)) {
    const path = join(root, name);
    try {
      if (/^[0-9a-f]{20}$/.test(name) && path !== folder && Date.now() - statSync(path).mtimeMs > unusedMs) {
        rmSync(path, { recursive: true, force: true });
      }
    } catch {
      // Another process may have been faster.
    }
  }
}
