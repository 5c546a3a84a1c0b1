/**
 * `node package/build.ts [--name NAME] [--out FOLDER]`: writes the npm package to `FOLDER/npm` and the plugin to `FOLDER/plugin`, and prints
 * their sizes and the start time of the plugin. Without `--name`, the npm package is marked as private.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import type { Files } from "./bundle.ts";
import { libraryFiles } from "./library.ts";
import { pluginFiles } from "./plugin.ts";
import { startTimes } from "./startTime.ts";

const { values } = parseArgs({ options: { name: { type: "string" }, out: { type: "string", default: "dist" } } });

const plugin = await pluginFiles();
const library = await libraryFiles(plugin, values.name);
for (const [name, files] of [
  ["npm", library],
  ["plugin", plugin],
] as const) {
  const folder = join(values.out, name);
  await write(folder, files);
  const bytes = [...files.values()].reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  process.stdout.write(`${folder}: ${files.size} files, ${kilobytes(bytes)}\n`);
}
const times = await startTimes(join(values.out, "plugin", "pulumi-resource-k8sauth"), 10);
process.stdout.write(
  `plugin ready after ${Math.round(times[5] ?? 0)} ms (median of 10; ${times.map(Math.round).join(", ")})\n`,
);

async function write(folder: string, files: Files): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const [path, { text, executable }] of files) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { mode: executable ? 0o755 : 0o644 });
  }
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1000)} kB`;
}
