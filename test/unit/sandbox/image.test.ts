import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { sharedLibraries } from "../../../sandbox/node/builtinImages.ts";
import { type ImageSpec, writeImageArchive } from "../../../sandbox/node/image.ts";
import { TarWriter } from "../../../sandbox/node/tar.ts";

const home = mkdtempSync(join(tmpdir(), "sandbox-image-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const big = join(home, "big");
writeFileSync(big, Buffer.alloc(3_000_001, "0123456789"));
const longPath = `/usr/${"a-folder-with-a-name/".repeat(8)}file`;
const spec: ImageSpec = {
  name: "localhost/app:1",
  files: [
    { path: "/bin/big", from: big },
    { path: longPath, text: "long", mode: 0o600 },
    { path: "/bin/link", link: "big" },
    { path: "/tmp", folder: true, mode: 0o1777 },
    { path: "/empty", text: "" },
  ],
  entrypoint: ["/bin/big"],
  env: ["A=b"],
  user: "65532",
};

function unpack(archive: string, name: string): string {
  const folder = join(home, name);
  mkdirSync(folder);
  execFileSync("tar", ["-xpf", archive, "-C", folder]);
  return folder;
}

describe("the archive of an image", () => {
  const archive = join(home, "app.tar");
  writeImageArchive(spec, archive);
  const layout = unpack(archive, "layout");
  const read = (path: string) => JSON.parse(readFileSync(join(layout, path), "utf8"));
  const blob = (digest: string) => join("blobs", ...digest.split(":"));
  const [entry] = read("index.json").manifests;
  const manifest = read(blob(entry.digest));
  const config = read(blob(manifest.config.digest));
  const [layer] = manifest.layers;

  test("is an OCI layout with the image's name and correct digests and sizes", () => {
    expect(read("oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
    expect(entry.annotations["io.containerd.image.name"]).toBe("localhost/app:1");
    for (const { digest, size } of [entry, manifest.config, layer]) {
      const content = readFileSync(join(layout, blob(digest)));
      expect(content.length).toBe(size);
      expect(`sha256:${createHash("sha256").update(content).digest("hex")}`).toBe(digest);
    }
    expect(config).toMatchObject({
      os: "linux",
      config: { Entrypoint: ["/bin/big"], Env: ["A=b"], User: "65532" },
      rootfs: { type: "layers", diff_ids: [layer.digest] },
    });
  });

  test("contains the given files, links and folders, also with long names", () => {
    const root = unpack(join(layout, blob(layer.digest)), "root");
    expect(readFileSync(join(root, "bin/big")).equals(readFileSync(big))).toBe(true);
    expect(lstatSync(join(root, "bin/big")).mode & 0o7777).toBe(0o755);
    expect(readFileSync(join(root, longPath), "utf8")).toBe("long");
    expect(lstatSync(join(root, longPath)).mode & 0o7777).toBe(0o600);
    expect(readlinkSync(join(root, "bin/link"))).toBe("big");
    expect(lstatSync(join(root, "tmp")).mode & 0o7777).toBe(0o1777);
    expect(readFileSync(join(root, "empty"), "utf8")).toBe("");
  });

  test("has the same bytes each time, and no other file remains", () => {
    const again = join(home, "again.tar");
    writeImageArchive(spec, again);
    expect(readFileSync(again).equals(readFileSync(archive))).toBe(true);
    expect(readdirSync(home).filter((name) => name.endsWith(".layer"))).toEqual([]);
  });
});

test("an archive with unreadable files is an error", () => {
  const archive = join(home, "bad.tar");
  const bad = { ...spec, files: [{ path: "/a", from: join(home, "none") }] };
  expect(() => writeImageArchive(bad, archive)).toThrow(/ENOENT/);
  expect(existsSync(`${archive}.layer`)).toBe(false);
});

test("abandoning a complete archive closes no file that got its descriptor", () => {
  const tar = new TarWriter(join(home, "complete.tar"));
  tar.close();
  const other = openSync(join(home, "other"), "w");
  tar.abandon();
  expect(writeSync(other, "open")).toBe(4);
  closeSync(other);
});

test("the libraries of a program are the files in the output of ldd", () => {
  const output = [
    "\tlinux-vdso.so.1 (0x00007ffd)",
    "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f01)",
    "\tlibmissing.so => not found",
    "\t/lib64/ld-linux-x86-64.so.2 (0x00007f02)",
    "",
  ].join("\n");
  expect(sharedLibraries(output)).toEqual(["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"]);
});
