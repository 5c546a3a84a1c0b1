/** The resource plugin as a folder that needs nothing but Node.js: `dist/plugin`, and `plugin` in the npm package. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { bundle, type Files, licensesOf, replaceImports, root } from "./bundle.ts";

/** Modules of CommonJS packages call `require`, which an ES module does not have. */
const requireBanner = `import { createRequire as k8sauthCreateRequire } from "node:module";
const require = k8sauthCreateRequire(import.meta.url);`;

const esModule = { format: "esm", banner: { js: requireBanner } } as const;

/** The client library has its own file: it is larger than all other code together, and only kubeconfigs with an auth-provider need it. */
const clientLibrary = "@kubernetes/client-node";
const clientFile = "clientNode.mjs";

export async function pluginFiles(): Promise<Files> {
  const separate = replaceImports("client library", new RegExp(`^${clientLibrary}$`), `./${clientFile}`, true);
  const required = JSON.stringify(manifest.engines.node.replace(/^>=/, ">= "));
  const [main, client, start] = await Promise.all([
    bundle({ ...esModule, entryPoints: ["provider/main.ts"], plugins: [separate] }),
    // Only its KubeConfig is used.
    bundle({ ...esModule, entryPoints: [`node_modules/${clientLibrary}/dist/config.js`] }),
    bundle({
      entryPoints: ["package/start.cjs"],
      format: "cjs",
      // Older versions of Node.js parse this too.
      target: "node14",
      external: ["./plugin.mjs"],
      define: { REQUIRED_NODE: required },
    }),
  ]);
  const source = (name: string) => readFile(join(root, name), "utf8");
  return new Map([
    ["pulumi-resource-k8sauth", { text: await source("provider/pulumi-resource-k8sauth"), executable: true }],
    ["pulumi-resource-k8sauth.cmd", { text: await source("provider/pulumi-resource-k8sauth.cmd") }],
    ["start.cjs", { text: start.code }],
    ["plugin.mjs", { text: main.code }],
    [clientFile, { text: client.code }],
    ["LICENSE", { text: await source("LICENSE") }],
    ["licenses.txt", { text: licensesOf([main, client, start]) }],
  ]);
}
