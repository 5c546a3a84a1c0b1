/** The resource plugin as a folder that needs nothing but Node.js: `dist/plugin`, and `plugin` in the npm package. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plugin } from "esbuild";
import manifest from "../package.json" with { type: "json" };
import { bundleVerifier } from "../verifier/bundle/bundle.ts";
import { bundle, type Files, licensesOf, replaceImports, root, withPrebuiltVerifier } from "./bundle.ts";

/** The components and the SDKs are in a separate file, because only programs in languages other than TypeScript need them in the plugin. */
const componentsFile = "components.cjs";

/** Folder of the verifier. The component Verifier deploys it. */
export const verifierFolder = "verifier";

/**
 * Modules that the plugin never calls. In Pulumi's SDK these are the Automation API, dynamic providers and the serialization of functions, in
 * gRPC the loader of `.proto` files. They import a compiler, a package manager and a second implementation of protocol buffers.
 */
const unused: readonly { readonly module: RegExp; readonly importer: RegExp }[] = [
  {
    module: /^\.\/(closure\/\w+|automation|dynamic)$|typescript-shim$/,
    importer: /\/@pulumi\/pulumi\//,
  },
  { module: /^@grpc\/proto-loader$/, importer: /\/@grpc\/grpc-js\// },
];

/** Replaces the unused modules by empty ones. */
const withoutUnused: Plugin = {
  name: "unused modules",
  setup(build) {
    for (const { module, importer: from } of unused)
      build.onResolve({ filter: module }, ({ path, importer }) =>
        from.test(importer) ? { path, namespace: "unused" } : undefined,
      );
    build.onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = {};" }));
  },
};

/** The files of the plugin. */
export async function pluginFiles(): Promise<Files> {
  const separateComponents = replaceImports("components", /\/components\/construct\.ts$/, `./${componentsFile}`, true);
  const { plugins, define } = withPrebuiltVerifier(verifierFolder);
  const required = JSON.stringify(manifest.engines.node.replace(/^>=/, ">= "));
  const [main, components, start, verifier] = await Promise.all([
    bundle({
      entryPoints: ["provider/main.ts"],
      // For a fast start: an ES module that imports node:http also loads Node.js's implementation of fetch, and a file in ASCII needs no
      // decoding.
      format: "cjs",
      charset: "ascii",
      plugins: [separateComponents, withoutUnused],
    }),
    bundle({
      entryPoints: ["provider/components/construct.ts"],
      format: "cjs",
      plugins: [...plugins, withoutUnused],
      define,
    }),
    bundle({
      entryPoints: ["package/start.cjs"],
      format: "cjs",
      // Versions of Node.js that are too old must be able to parse it.
      target: "node14",
      external: ["./plugin.cjs"],
      define: { REQUIRED_NODE: required },
    }),
    bundleVerifier(),
  ]);
  const source = (name: string) => readFile(join(root, name), "utf8");
  return new Map([
    ["pulumi-resource-k8sauth", { text: await source("provider/pulumi-resource-k8sauth"), executable: true }],
    ["pulumi-resource-k8sauth.cmd", { text: await source("provider/pulumi-resource-k8sauth.cmd") }],
    ["start.cjs", { text: start.code }],
    ["plugin.cjs", { text: main.code }],
    [componentsFile, { text: components.code }],
    [`${verifierFolder}/verifier.mjs`, { text: verifier.code }],
    [`${verifierFolder}/verifier.licenses.txt`, { text: verifier.licenses }],
    ["LICENSE", { text: await source("LICENSE") }],
    ["licenses.txt", { text: licensesOf([main, components, start]) }],
  ]);
}
