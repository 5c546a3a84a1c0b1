/**
 * `node verifier/bundle/emit.ts [FOLDER]` writes the service and the client, one file each, with licenses and SBOMs. The folder is the
 * build context of verifier/Dockerfile. Prints the SHA-256 of each file in the format of sha256sum(1).
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleClient, bundleVerifier } from "./bundle.ts";
import { sbom } from "./sbom.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = process.argv[2] ?? "dist";
const bundles = await Promise.all([bundleVerifier(), bundleClient()]);
const files: [name: string, text: string][] = [
  ...bundles.flatMap((bundle): [string, string][] => [
    [`${bundle.name}.mjs`, bundle.code],
    [`${bundle.name}.cdx.json`, sbom(bundle, root)],
    [`${bundle.name}.licenses.txt`, bundle.licenses],
  ]),
  ["LICENSE", await readFile(join(root, "LICENSE"), "utf8")],
];
await mkdir(folder, { recursive: true });
for (const [name, text] of files) {
  await writeFile(join(folder, name), text);
  process.stdout.write(`${createHash("sha256").update(text).digest("hex")}  ${join(folder, name)}\n`);
}
