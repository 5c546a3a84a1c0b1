import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";

/** The folder of this repository's own program. */
export const program = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** This repository's Pulumi.yaml, for a project in another folder. */
export async function projectFile(): Promise<string> {
  const project = parse(await readFile(join(program, "Pulumi.yaml"), "utf8")) as {
    runtime: { name: string; options: { nodeargs: string } };
    plugins: { providers: { name: string; path: string }[] };
  };
  // Relative paths start at the folder of the program, which a test may change.
  const { name: runtimeName, options } = project.runtime;
  const nodeargs = options.nodeargs.replaceAll("=./", `=${program}/`);
  const runtime = { name: runtimeName, options: { ...options, nodeargs } };
  const providers = project.plugins.providers.map(({ name, path }) => ({ name, path: join(program, path) }));
  return stringify({ ...project, runtime, main: program, plugins: { providers } });
}
