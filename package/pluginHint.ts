/** A warning with the lines to add to Pulumi.yaml, for programs whose plugin Pulumi would not find. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join, relative } from "node:path";
import * as pulumi from "@pulumi/pulumi";

/** Variables with which Pulumi finds plugins in other places. */
const redirects = ["PULUMI_DEBUG_PROVIDERS", "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"];

/**
 * Warns if Pulumi would not find the plugin of the running program: Pulumi.yaml does not name it, and it is installed neither in Pulumi's home
 * nor on the PATH. It does not warn if that is uncertain, nor outside of a run (in unit tests, or in the Automation API before a run).
 *
 * @param library folder of the npm package
 */
export function warnWithoutPlugin(library: string, env: NodeJS.ProcessEnv = process.env): void {
  // Older SDKs do not have this function. Outside of a run it returns no path.
  const root = pulumi.getRootDirectory?.() ?? "";
  if (!isAbsolute(root) || redirects.some((name) => env[name]) || isInstalled(env)) return;
  const file = ["Pulumi.yaml", "Pulumi.yml", "Pulumi.json"].map((name) => join(root, name)).find(existsSync);
  if (file === undefined || namesPlugin(readFileSync(file, "utf8"))) return;
  // Pulumi prints standard error before its own error. A log message could reach the engine too late, because the engine stops at the first
  // missing provider.
  process.stderr.write(
    `k8sauth: ${file} does not name the plugin. Add to it:\nplugins:\n  providers:\n    - name: k8sauth\n      path: ${pluginPath(root, library)}\n`,
  );
}

function namesPlugin(project: string): boolean {
  return /\b(plugins|packages)\b/.test(project) && /\bk8sauth\b/.test(project);
}

function isInstalled(env: NodeJS.ProcessEnv): boolean {
  const plugins = join(env.PULUMI_HOME || join(homedir(), ".pulumi"), "plugins");
  const installed = existsSync(plugins) && readdirSync(plugins).some((name) => name.startsWith("resource-k8sauth-v"));
  const folders = (env.PATH ?? "").split(delimiter);
  const executables = ["", ".exe", ".cmd"].map((suffix) => `pulumi-resource-k8sauth${suffix}`);
  return installed || folders.some((folder) => executables.some((name) => existsSync(join(folder, name))));
}

/** Path of the plugin for Pulumi.yaml: below node_modules by the package's name, or the real path if that does not exist. */
function pluginPath(root: string, library: string): string {
  const { name } = JSON.parse(readFileSync(join(library, "package.json"), "utf8")) as { name: string };
  const byName = join(root, "node_modules", name, "plugin");
  const path = relative(root, existsSync(byName) ? byName : join(library, "plugin"));
  return path.replaceAll("\\", "/");
}
