/** The npm package `dist/npm`: the library as CommonJS modules with types, and the plugin. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { bundle, type FileContent, type Files, licensesOf, root, withPrebuiltVerifier } from "./bundle.ts";
import { declarations } from "./declarations.ts";
import { entries, libraryManifest } from "./manifest.ts";
import { verifierFolder } from "./plugin.ts";

/**
 * The files of the npm package.
 *
 * @param plugin the files of the plugin
 * @param name name of the package. Without one it is marked as private
 */
export async function libraryFiles(plugin: Files, name?: string): Promise<Files> {
  const names = Object.keys(entries);
  const modules = await Promise.all(
    names.map((entry) =>
      bundle({
        entryPoints: [`package/entries/${entry}.ts`],
        format: "cjs",
        // The user's project has the SDKs.
        external: ["@pulumi/*"],
        ...withPrebuiltVerifier(`plugin/${verifierFolder}`),
      }),
    ),
  );
  const types = declarations(names.map((entry) => `package/entries/${entry}.ts`));
  const readme = await readFile(join(root, "package", "README.md"), "utf8");
  const files: [string, FileContent][] = [
    ["package.json", { text: `${JSON.stringify(libraryManifest(name), undefined, 2)}\n` }],
    ["README.md", { text: readme.replaceAll("PACKAGE", name ?? manifest.name) }],
    ["LICENSE", { text: await readFile(join(root, "LICENSE"), "utf8") }],
    ["licenses.txt", { text: licensesOf(modules) }],
    ...names.map((entry, at): [string, FileContent] => [`${entry}.js`, { text: modules[at]?.code ?? "" }]),
    // Resolution without `exports` looks for types beside the module.
    ...names.map((entry): [string, FileContent] => [
      `${entry}.d.ts`,
      { text: `export * from "./types/package/entries/${entry}.js";\n` },
    ]),
    ...[...types].map(([path, text]): [string, FileContent] => [`types/${path}`, { text }]),
    ...[...plugin].map(([path, content]): [string, FileContent] => [`plugin/${path}`, content]),
  ];
  return new Map(files);
}
