import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { TarWriter } from "./tar.ts";

/** A file of an image. */
export type ImageFile =
  | { readonly path: string; readonly from: string; readonly mode?: number }
  | { readonly path: string; readonly text: string; readonly mode?: number }
  | { readonly path: string; readonly link: string }
  | { readonly path: string; readonly folder: true; readonly mode?: number };

/** A container image with one layer. */
export interface ImageSpec {
  /** Name with tag, for example `localhost/app:1`. A pod names it and sets `imagePullPolicy: Never` or `IfNotPresent`. */
  readonly name: string;
  /** Absolute paths. Parent folders are created. Default modes are 0644 for text and 0755 for files and folders. */
  readonly files: readonly ImageFile[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** `NAME=value` */
  readonly env?: readonly string[];
  /** `uid` or `uid:gid`. @default root */
  readonly user?: string;
  readonly workingDir?: string;
}

const architectures: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  ppc64: "ppc64le",
  s390x: "s390x",
};

interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/**
 * Writes an image as an archive of the OCI image layout (image-spec 1.1), which containerd imports. Equal files give equal
 * bytes. The file must not exist. Meanwhile a temporary file in the same folder holds the layer.
 */
export function writeImageArchive(spec: ImageSpec, archive: string): void {
  const layerFile = `${archive}.layer`;
  const writers: TarWriter[] = [];
  try {
    const layer = writeLayer(spec, layerFile, writers);
    const config = json("application/vnd.oci.image.config.v1+json", {
      architecture: architectures[process.arch] ?? process.arch,
      os: "linux",
      config: {
        Entrypoint: spec.entrypoint,
        Cmd: spec.command,
        Env: spec.env,
        User: spec.user,
        WorkingDir: spec.workingDir,
      },
      rootfs: { type: "layers", diff_ids: [layer.digest] },
    });
    const manifest = json("application/vnd.oci.image.manifest.v1+json", {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: config.blob,
      layers: [layer],
    });
    const index = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [{ ...manifest.blob, annotations: { "io.containerd.image.name": spec.name } }],
    };
    const tar = new TarWriter(archive);
    writers.push(tar);
    tar.text("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    tar.text("index.json", JSON.stringify(index));
    for (const { blob, text } of [config, manifest]) tar.text(blobPath(blob), text);
    tar.copy(blobPath(layer), layerFile);
    tar.close();
  } finally {
    for (const writer of writers) writer.abandon();
    rmSync(layerFile, { force: true });
  }
}

function writeLayer(spec: ImageSpec, path: string, writers: TarWriter[]): Blob {
  const hash = createHash("sha256");
  const tar = new TarWriter(path, (data) => hash.update(data));
  writers.push(tar);
  const written = new Set<string>();
  const addParents = (file: string) => {
    const parts = file.split("/").slice(1, -1);
    parts.forEach((_, index) => {
      const folder = `/${parts.slice(0, index + 1).join("/")}`;
      if (!written.has(folder)) tar.folder(folder);
      written.add(folder);
    });
  };
  for (const file of spec.files) {
    addParents(file.path);
    if ("from" in file) tar.copy(file.path, file.from, file.mode ?? 0o755);
    else if ("text" in file) tar.text(file.path, file.text, file.mode ?? 0o644);
    else if ("link" in file) tar.link(file.path, file.link);
    else {
      tar.folder(file.path, file.mode ?? 0o755);
      written.add(file.path);
    }
  }
  const size = tar.close();
  return { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: `sha256:${hash.digest("hex")}`, size };
}

function json(mediaType: string, value: object): { blob: Blob; text: string } {
  const text = JSON.stringify(value);
  const digest = `sha256:${createHash("sha256").update(text).digest("hex")}`;
  return { blob: { mediaType, digest, size: Buffer.byteLength(text) }, text };
}

function blobPath({ digest }: Blob): string {
  return `blobs/${digest.replace(":", "/")}`;
}
