/** The Pulumi CLI with the plugins that this repository's program needs: found on the PATH, or built from Go modules. */
import { mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, ensureProgram, isBuilt } from "../build/build.ts";
import { SandboxError } from "../build/errors.ts";
import { cacheHome } from "../build/paths.ts";
import { createHome, fileBackend, hasPlugin, linkCommand, linkPlugin, passphraseFile, stackFolder } from "./home.ts";
import { checkInstalled, findPulumi, installHint, runPulumi } from "./installed.ts";
import { cliProgram, kubernetesPluginProgram, pluginVersions } from "./programs.ts";

export { oldestVersion } from "./installed.ts";

export interface Pulumi {
  /** Path of the executable. */
  readonly command: string;
  /** Whether it was built from Go modules. If false, it was found on the PATH. */
  readonly built: boolean;
  /** Environment to run it in: home, backend, passphrase, and a PATH with Node.js 24 and this CLI. */
  readonly env: NodeJS.ProcessEnv & { readonly PULUMI_HOME: string; readonly PULUMI_BACKEND_URL: string };
}

export interface PulumiOptions extends BuildOptions {
  /** Called with a line of text before a build or a download. */
  readonly onNotice?: (line: string) => void;
}

/**
 * Finds the Pulumi CLI on the PATH with its plugins, or builds both from Go modules on first use (minutes). The environment variable
 * `K8SAUTH_PULUMI=build` always builds them.
 *
 * @throws SandboxError SANDBOX_OPTION_INVALID, PULUMI_TOO_OLD, PULUMI_UNUSABLE, PULUMI_NO_NODE_HOST, PULUMI_PLUGIN_MISSING, and those of
 *   {@link ensureProgram}
 */
export async function ensurePulumi(options: PulumiOptions = {}): Promise<Pulumi> {
  const env = options.env ?? process.env;
  const choice = env.K8SAUTH_PULUMI ?? "";
  if (choice !== "" && choice !== "build") {
    throw new SandboxError(
      "SANDBOX_OPTION_INVALID",
      `K8SAUTH_PULUMI is ${JSON.stringify(choice)}: expected "build", or unset it to use the \`pulumi\` on the PATH.`,
    );
  }
  const found = choice === "build" ? undefined : findPulumi(env);
  return found === undefined ? build({ ...options, env }) : useInstalled(found, { ...options, env });
}

/** The CLI that {@link ensurePulumi} uses. */
export type PulumiSource =
  | { readonly source: "installed"; readonly command: string; readonly version: string }
  | { readonly source: "built" }
  /** It is built on first use. */
  | { readonly source: "absent" };

/**
 * Finds the CLI without building or downloading anything.
 *
 * @throws SandboxError PULUMI_TOO_OLD, PULUMI_UNUSABLE, PULUMI_NO_NODE_HOST, SANDBOX_GO_MISSING, SANDBOX_GO_TOO_OLD
 */
export async function locatePulumi(options: PulumiOptions = {}): Promise<PulumiSource> {
  const env = options.env ?? process.env;
  const command = env.K8SAUTH_PULUMI === "build" ? undefined : findPulumi(env);
  if (command !== undefined) {
    const own = environment(createHome("installed", env), env);
    return { source: "installed", command, version: await checkInstalled(command, own, options.signal) };
  }
  const built = await Promise.all([cliProgram, kubernetesPluginProgram].map((program) => isBuilt(program, options)));
  return { source: built.every(Boolean) ? "built" : "absent" };
}

type Options = PulumiOptions & { readonly env: NodeJS.ProcessEnv };

async function build(options: Options): Promise<Pulumi> {
  const { env, onNotice } = options;
  const missing: string[] = [];
  for (const program of [cliProgram, kubernetesPluginProgram]) {
    if (!(await isBuilt(program, options))) missing.push(program.title);
  }
  if (missing.length > 0) {
    const reason = env.K8SAUTH_PULUMI === "build" ? "K8SAUTH_PULUMI is build" : "There is no `pulumi` on the PATH";
    onNotice?.(
      `${reason}: building ${missing.join(" and ")} from Go modules, once (4 to 15 minutes each on two cores). ${installHint} to avoid the build.`,
    );
  }
  const command = await ensureProgram(cliProgram, options);
  const kubernetes = await ensureProgram(kubernetesPluginProgram, options);
  const folder = dirname(command);
  // All builds share one home, because logins and selected stacks outlast a build. Its links point to this build.
  const home = createHome("built", env);
  linkPlugin(home, "kubernetes", pluginVersions.kubernetes, kubernetes);
  linkPlugin(home, "tls", pluginVersions.tls, join(folder, "pulumi-resource-tls"));
  // Missing plugins cannot be downloaded. Without this variable the CLI tries it first.
  return {
    command,
    built: true,
    env: { ...environment(home, env, linkCommand(home, command)), PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true" },
  };
}

async function useInstalled(command: string, { env, onNotice, signal }: Options): Promise<Pulumi> {
  const home = createHome("installed", env);
  const own = environment(home, env);
  await checkInstalled(command, own, signal);
  const missing = Object.entries(pluginVersions).filter(([name, version]) => !hasPlugin(home, name, version));
  if (missing.length > 0) {
    const list = missing.map(([name, version]) => `${name} ${version}`).join(" and ");
    onNotice?.(`Pulumi downloads its plugins ${list}, once.`);
  }
  for (const [name, version] of missing) {
    const args = ["plugin", "install", "resource", name, `v${version}`];
    const { status, output } = await runPulumi(command, args, own, signal);
    if (status !== 0) {
      const reason = output.trim().split("\n").slice(-3).join(" ").slice(0, 500);
      throw new SandboxError(
        "PULUMI_PLUGIN_MISSING",
        `Pulumi could not download its plugin ${name} ${version}: ${reason}. Connect to the network and try again, install the plugin from a file (pulumi plugin install resource ${name} v${version} --file FILE, with PULUMI_HOME=${home}), or set K8SAUTH_PULUMI=build to build what is missing from Go modules.`,
      );
    }
  }
  return { command, built: false, env: own };
}

const bundledNode = fileURLToPath(new URL("../../node_modules/.bin", import.meta.url));

/** The environment of the CLI. Keeps the user's backend and passphrase. Replaces the user's PULUMI_HOME. */
function environment(home: string, env: NodeJS.ProcessEnv, commandFolder?: string): Pulumi["env"] {
  const folder = stackFolder(env);
  const givenPassphrase = env.PULUMI_CONFIG_PASSPHRASE !== undefined || Boolean(env.PULUMI_CONFIG_PASSPHRASE_FILE);
  if (!env.PULUMI_BACKEND_URL) mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    ...env,
    ...(!givenPassphrase && { PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile(env) }),
    PULUMI_HOME: home,
    PULUMI_BACKEND_URL: env.PULUMI_BACKEND_URL || fileBackend(folder),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    NODE_COMPILE_CACHE: env.NODE_COMPILE_CACHE ?? join(cacheHome(env), "compile"),
    PATH: [bundledNode, commandFolder, env.PATH].filter(Boolean).join(delimiter),
  };
}
