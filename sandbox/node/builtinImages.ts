import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { cacheRoot } from "../build/paths.ts";
import { type ImageFile, type ImageSpec, writeImageArchive } from "./image.ts";
import { pauseImage } from "./plan.ts";

/** Name of the image with Node.js: the binary of npm's package `node`, with libraries of this machine. */
export const nodeImage = "localhost/node:24";

const run = promisify(execFile);

/** The creation of an archive deletes archives that were not used for this time. */
const unusedMs = 30 * 24 * 3600 * 1000;

/** Images of every node. Their entry points are absolute paths, so pods set `args` only. */
export async function builtinImages(machineBinary: string): Promise<ImageSpec[]> {
  return [
    {
      name: pauseImage,
      files: [{ path: "/machine", from: machineBinary }],
      entrypoint: ["/machine", "pause"],
      user: "65535:65535",
    },
    await nodeImageSpec(),
  ];
}

export async function nodeImageSpec(): Promise<ImageSpec> {
  return {
    name: nodeImage,
    files: await nodejsFiles(realpathSync(nodejsBinary())),
    entrypoint: ["/usr/local/bin/node"],
    env: ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/nonroot"],
    user: "65532:65532",
    workingDir: "/home/nonroot",
  };
}

function nodejsBinary(): string {
  const folder = dirname(createRequire(import.meta.url).resolve("node/package.json"));
  return join(folder, "bin", "node");
}

async function nodejsFiles(binary: string): Promise<ImageFile[]> {
  const libraries = sharedLibraries((await run("ldd", [binary])).stdout);
  // The C library loads the resolver by name to look up host names. Since glibc 2.34 it is part of the C library.
  const libc = libraries.find((path) => /\/libc\.so\.6$/.test(path));
  const resolver = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]
    .map((name) => join(dirname(libc ?? "/"), name))
    .filter((path) => existsSync(path) && !libraries.includes(path));
  return [
    { path: "/tmp", folder: true, mode: 0o1777 },
    { path: "/home/nonroot", folder: true, mode: 0o755 },
    { path: "/etc/passwd", text: "root:x:0:0:root:/:/\nnonroot:x:65532:65532:nonroot:/home/nonroot:/\n" },
    { path: "/etc/group", text: "root:x:0:\nnonroot:x:65532:\n" },
    { path: "/etc/nsswitch.conf", text: "hosts: files dns\n" },
    ...[...libraries, ...resolver].map((path) => ({ path, from: realpathSync(path) })),
    { path: "/usr/local/bin/node", from: binary },
  ];
}

/** Paths of libraries and dynamic linker in the output of ldd(1). */
export function sharedLibraries(lddOutput: string): string[] {
  return [...lddOutput.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x/gm)].map(([, path = ""]) => path);
}

/** Path of an image's archive in the cache. Creates the archive if necessary. */
export function cachedArchive(spec: ImageSpec, env: NodeJS.ProcessEnv): string {
  const folder = join(cacheRoot(env), "images");
  const archive = join(folder, `${archiveKey(spec)}.tar`);
  if (existsSync(archive)) {
    const now = new Date();
    utimesSync(archive, now, now);
    return archive;
  }
  mkdirSync(folder, { recursive: true });
  removeUnused(folder);
  const draft = `${archive}.${process.pid}.new`;
  rmSync(draft, { force: true });
  try {
    writeImageArchive(spec, draft);
    renameSync(draft, archive);
  } finally {
    rmSync(draft, { force: true });
  }
  return archive;
}

/** Hash of an archive by size and time of its files, which need not be read. */
function archiveKey(spec: ImageSpec): string {
  const sources = spec.files.flatMap((file) => {
    if (!("from" in file)) return [];
    const { size, mtimeMs } = statSync(file.from);
    return [[size, mtimeMs]];
  });
  return createHash("sha256").update(JSON.stringify({ spec, sources })).digest("hex").slice(0, 20);
}

function removeUnused(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    try {
      if (Date.now() - statSync(path).mtimeMs > unusedMs) rmSync(path, { force: true });
    } catch {
      // Another process may have removed it.
    }
  }
}
