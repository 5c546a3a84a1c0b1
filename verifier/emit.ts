/** `node verifier/emit.ts [FOLDER]`: writes the service's and the client's one file each, for images and pods of one's own. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleClient, bundleVerifier } from "./bundle.ts";

const folder = process.argv[2] ?? "dist";
const [service, client] = await Promise.all([bundleVerifier(), bundleClient()]);
await mkdir(folder, { recursive: true });
for (const [name, { code, sha256 }] of [
  ["verifier.mjs", service],
  ["client.mjs", client],
] as const) {
  await writeFile(join(folder, name), code);
  process.stdout.write(`${sha256}  ${join(folder, name)}\n`);
}
