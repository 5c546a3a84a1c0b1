/** The resource plugin `k8sauth`, as a process: serves on a free local port and prints it as its first line. */
import { invoke } from "./functions/invoke.ts";
import { engineLink, silentLink, watchEngine } from "./protocol/engine.ts";
import { serve } from "./protocol/server.ts";
import { resources } from "./resources.ts";

// Pulumi hands every plugin the settings of the stack, secrets in the clear. Nothing here reads them, and exec plugins must not get them.
delete process.env.PULUMI_CONFIG;

const engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("-"));
const link = engineAddress === undefined ? undefined : engineLink(engineAddress);
const engine = watchEngine(link ?? silentLink);
const server = await serve({
  resources,
  // Loads the whole SDK, which most programs never need here.
  construct: async (...call) => (await import("./components/construct.ts")).construct(...call),
  invoke,
  env: process.env,
  now: Date.now,
  engineAddress,
  link,
  engineGone: engine.gone,
});

const end = async (status: number) => {
  // Waits end when they are cancelled; a call that does not end is not waited for.
  setTimeout(() => process.exit(status), 200);
  await server.drain();
  process.exit(status);
};
process.once("SIGTERM", () => end(143));
// The Pulumi CLI ends its plugins by this signal; a Ctrl-C of the terminal does not reach them, for it sends Cancel.
process.once("SIGINT", () => end(130));
void engine.ended.then(() => end(0));

process.stdout.write(`${server.port}\n`);

// Most kubeconfigs are YAML: its parser is read while the engine is still busy with other things.
void import("yaml").catch(() => {});
