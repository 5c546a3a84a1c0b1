/** The resource plugin `k8sauth`. */
import { invoke } from "./functions/invoke.ts";
import { engineLink, noLink, watchEngine } from "./protocol/engine.ts";
import { serve } from "./protocol/server.ts";
import { resources } from "./resources.ts";

/** Serves on a free local port and prints the port as its first line. */
export async function start(): Promise<void> {
  // Pulumi passes the settings of the stack to every plugin, secrets in plain text. The plugin does not read them, and exec plugins must not.
  delete process.env.PULUMI_CONFIG;

  const engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("-"));
  const link = engineAddress === undefined ? undefined : engineLink(engineAddress);
  const engine = watchEngine(link ?? noLink);
  const server = await serve({
    resources,
    // The import loads the whole SDK. Only programs in other languages need it.
    construct: async (...call) => (await import("./components/construct.ts")).construct(...call),
    invoke,
    env: process.env,
    now: Date.now,
    engineAddress,
    link,
    engineGone: engine.gone,
  });

  const end = async (status: number) => {
    // Cancelled calls end at once. A call that does not end gets 200 ms.
    setTimeout(() => process.exit(status), 200);
    await server.drain();
    process.exit(status);
  };
  process.once("SIGTERM", () => end(143));
  // The Pulumi CLI ends its plugins with this signal. After a Ctrl-C it calls Cancel instead.
  process.once("SIGINT", () => end(130));
  void engine.ended.then(() => end(0));

  process.stdout.write(`${server.port}\n`);

  // Most kubeconfigs are YAML. The parser loads while the engine starts.
  void import("yaml").catch(() => {});
}
