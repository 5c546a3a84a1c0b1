/** The resource plugin `k8sauth`, as a process: serves on a free local port and prints it as its first line. */
import { cluster } from "./cluster.ts";
import { engineLink, silentLink, watchEngine } from "./engine.ts";
import type { AnyResource } from "./resource.ts";
import { reviewerToken } from "./reviewerToken.ts";
import { serve } from "./server.ts";

/** Every type that the plugin has. */
const resources = [cluster, reviewerToken] as unknown as readonly AnyResource[];

const engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("-"));
const link = engineAddress === undefined ? undefined : engineLink(engineAddress);
const server = await serve({ resources, env: process.env, now: Date.now, link });

const end = (status: number) => {
  server.cancel();
  // Waits end with the cancel above; a call that does not is not waited for.
  setTimeout(() => process.exit(status), 200);
};
process.once("SIGTERM", () => end(143));
// The engine gets the same Ctrl-C and sends Cancel in its own time.
process.on("SIGINT", () => {});
watchEngine(link ?? silentLink, () => end(0));

process.stdout.write(`${server.port}\n`);

// Most kubeconfigs are YAML: its parser is read while the engine is still busy with other things.
void import("yaml").catch(() => {});
