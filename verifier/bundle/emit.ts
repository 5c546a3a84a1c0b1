/**
 * `node verifier/bundle/emit.ts [FOLDER]`: writes service and client, one file each, with the licenses of what they contain and their
 * SBOMs. The folder is the build context of verifier/Dockerfile. Prints a line for each file as sha256sum(1) does.
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
