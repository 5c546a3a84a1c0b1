import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type GoOptions, runGo } from "./go.ts";
import { type ModFile, moduleZips } from "./goMod.ts";
import { withLock } from "./lock.ts";
import { cacheRoot, storageError } from "./paths.ts";
import { type Progress, ProgressMeter } from "./progress.ts";

export interface BuildOptions {
  readonly onProgress?: (progress: Progress) => void;
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/** A Go program: a folder with a Go module. Each program is built when it is first needed. */
export interface GoProgram {
  /** File name of the binary. */
  readonly name: string;
  /** Its name in progress reports. */
  readonly title: string;
  /** Folder of its sources. */
  readonly source: string;
  /** Its go.mod, relative to `source`. The go.sum has the same name with the extension `.sum`. @default "go.mod" */
  readonly goMod?: string;
  /** Folders of local modules that its go.mod refers to. */
  readonly modules?: readonly string[];
  /** Packages to build, each into a binary named after the last part of its path. @default the package in `source`, as `name` */
  readonly packages?: readonly string[];
  /** Values of string variables that the linker sets, by import path and name. */
  readonly variables?: (goMod: string) => Readonly<Record<string, string>>;
}

const folderOf = (path: string) => fileURLToPath(new URL(path, import.meta.url)).replace(/\/$/, "");

/** The programs of a node besides Kubernetes: CoreDNS, and the machine, which isolates processes, mounts and network. */
export const nodePrograms = {
  dns: { name: "dns", title: "CoreDNS", source: folderOf("../dns") },
  machine: { name: "machine", title: "the node's machine", source: folderOf("../machine") },
} as const satisfies Record<string, GoProgram>;

/** A build deletes binaries that were not used for this time. */
const unusedMs = 30 * 24 * 3600 * 1000;

/**
 * Path of a program's binary. It is built from Go modules on first use, which takes minutes, and cached by the hash of its sources, so that
 * checkouts of the same sources share it. Concurrent callers in any process wait for one build.
 *
 * @throws SandboxError SANDBOX_GO_MISSING, SANDBOX_GO_TOO_OLD, SANDBOX_DOWNLOAD_FAILED, SANDBOX_DISK_FULL,
 *   SANDBOX_BUILD_FAILED, SANDBOX_STORAGE, SANDBOX_NO_HOME, SANDBOX_BUSY, SANDBOX_ABORTED
 */
export async function ensureProgram(program: GoProgram, options: BuildOptions = {}): Promise<string> {
  const { root, key, binary, moduleCache, go, goMod, args } = await planBuild(program, options);
  if (useBuilt(binary)) return binary;
  const folder = dirname(binary);

  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw storageError("Creating the cache folder of the sandbox", folder, error);
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
      if (useBuilt(binary)) return;
      removeLeftovers(root, folder);
      await download(go, goMod, moduleCache, meter);
      await compile(go, args, binary, meter);
    });
  } finally {
    meter.close();
  }
  return binary;
}

/** Whether {@link ensureProgram} returns without a build. */
export async function isBuilt(program: GoProgram, options: BuildOptions = {}): Promise<boolean> {
  return useBuilt((await planBuild(program, options)).binary);
}

interface BuildPlan {
  readonly root: string;
  readonly key: string;
  readonly binary: string;
  readonly moduleCache: string;
  readonly go: GoOptions;
  /** Path of the go.mod, if it is not the one of the folder. */
  readonly goMod?: string;
  /** Arguments of `go build` and `go list`. */
  readonly args: readonly string[];
}

async function planBuild(program: GoProgram, options: BuildOptions): Promise<BuildPlan> {
  const env = options.env ?? process.env;
  const root = cacheRoot(env);
  const go: GoOptions = { cwd: program.source, env, signal: options.signal };
  const target = JSON.parse((await runGo(["env", "-json", "GOVERSION", "GOOS", "GOARCH", "GOMODCACHE"], go)).stdout);
  const sources = [...programSources(program), ...(program.modules ?? []).flatMap(readSources)];
  const args = buildArguments(program);
  const key = cacheKey(sources, [`${target.GOVERSION} ${target.GOOS}/${target.GOARCH}`, ...args]);
  const binary = join(root, key, program.name);
  return { root, key, binary, moduleCache: target.GOMODCACHE, go, goMod: program.goMod, args };
}

/** Whether a binary exists. Records the use in the time of its folder, so that other builds do not delete it. */
function useBuilt(binary: string): boolean {
  if (!existsSync(binary)) return false;
  const now = new Date();
  try {
    utimesSync(dirname(binary), now, now);
  } catch {
    // The cache may be read-only.
  }
  return true;
}

/** Names and contents of a module's sources, sorted by name. */
export function readSources(folder: string): readonly (readonly [name: string, content: string])[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^go\.(mod|sum)$|\.go$/.test(entry.name))
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => !isInNestedModule(folder, path))
    .sort()
    .map((path) => [relative(folder, path), readFileSync(path, "utf8")] as const);
}

/** Whether a file is part of another module below the folder. */
function isInNestedModule(folder: string, path: string): boolean {
  for (let parent = dirname(path); parent !== folder; parent = dirname(parent))
    if (existsSync(join(parent, "go.mod"))) return true;
  return false;
}

/** Hash of all sources and settings of a build: 20 hexadecimal digits of a SHA-256. */
export function cacheKey(
  sources: readonly (readonly [name: string, content: string])[],
  settings: readonly string[],
): string {
  const hash = createHash("sha256");
  for (const part of [...settings, ...sources.flat()]) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest("hex").slice(0, 20);
}

/** A program's sources. Another go.mod and its go.sum replace those of the folder. */
export function programSources({ source, goMod }: GoProgram): readonly (readonly [name: string, content: string])[] {
  const sources = readSources(source);
  if (goMod === undefined) return sources;
  const replaced = new Map([
    ["go.mod", goMod],
    ["go.sum", goMod.replace(/\.mod$/, ".sum")],
  ]);
  return sources.map(([name, content]) => {
    const path = replaced.get(name);
    return [name, path === undefined ? content : readFileSync(join(source, path), "utf8")] as const;
  });
}

function modFileFlag(goMod: string | undefined): string[] {
  return goMod === undefined ? [] : [`-modfile=${goMod}`];
}

/** Flags and packages of `go build` and `go list`. */
function buildArguments({ source, goMod, packages = ["."], variables }: GoProgram): string[] {
  const values = variables?.(readFileSync(join(source, goMod ?? "go.mod"), "utf8")) ?? {};
  const settings = Object.entries(values).map(([name, value]) => `-X ${name}=${value}`);
  const flags = ["-mod=readonly", ...modFileFlag(goMod), "-buildvcs=false", "-trimpath"];
  return [...flags, "-ldflags", ["-s -w", ...settings].join(" "), ...packages];
}

async function download(
  go: GoOptions,
  goMod: string | undefined,
  moduleCache: string,
  meter: ProgressMeter,
): Promise<void> {
  const edit = ["mod", "edit", "-json", ...(goMod === undefined ? [] : [goMod])];
  const file = JSON.parse((await runGo(edit, go)).stdout) as ModFile;
  const missing = moduleZips(file).filter((zip) => !existsSync(join(moduleCache, "cache", "download", zip)));
  if (missing.length === 0) return;
  meter.begin("download", missing.length);
  const onLine = (line: string) => {
    if (/^# get \S+\.zip: 200 /.test(line)) meter.step();
  };
  await runGo(["mod", "download", "-x", ...modFileFlag(goMod)], { ...go, onLine });
}

async function compile(go: GoOptions, args: readonly string[], binary: string, meter: ProgressMeter): Promise<void> {
  meter.begin("inspect");
  const list = await runGo(["list", "-deps", "-f", "{{.ImportPath}}\t{{.Stale}}\t{{.StaleReason}}", ...args], go);
  const pending = packagesToBuild(list.stdout);
  meter.begin("compile", pending.size);
  const output = `${binary}.${process.pid}.new`;
  const onLine = (line: string) => {
    // `go build -v` prints the name of each package that is not in the build cache when its compilation starts.
    if (!pending.delete(line)) return;
    meter.step();
    if (pending.size === 0) meter.begin("link");
  };
  try {
    mkdirSync(output);
    const isSingle = args.at(-1) === ".";
    await runGo(["build", "-v", "-o", isSingle ? join(output, basename(binary)) : `${output}/`, ...args], {
      ...go,
      onLine,
    });
    // The binary whose existence marks a complete build is moved last.
    const names = readdirSync(output).sort((a, b) => Number(a === basename(binary)) - Number(b === basename(binary)));
    for (const name of names) renameSync(join(output, name), join(dirname(binary), name));
  } finally {
    rmSync(output, { recursive: true, force: true });
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

/** Removes files of killed builds, and versions that were not used for a long time. */
function removeLeftovers(root: string, folder: string): void {
  for (const name of readdirSync(folder))
    if (name.endsWith(".new")) rmSync(join(folder, name), { recursive: true, force: true });
  for (const name of readdirSync(root)) {
    const path = join(root, name);
    try {
      if (/^[0-9a-f]{20}$/.test(name) && path !== folder && Date.now() - statSync(path).mtimeMs > unusedMs) {
        rmSync(path, { recursive: true, force: true });
      }
    } catch {
      // Another process may have removed it.
    }
  }
}
