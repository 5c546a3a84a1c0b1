/** The resource plugin `k8sauth`. Serves on a free local port and prints the port as its first line. */
import {
  akeylessAuthMethod,
  akeylessCertificate,
  akeylessGatewayAuthConfig,
  akeylessRole,
  akeylessRoleAssociation,
} from "./akeyless/index.ts";
import { signedCertificate } from "./certificate/signedCertificate.ts";
import { cluster } from "./cluster/cluster.ts";
import { engineLink, noLink, watchEngine } from "./protocol/engine.ts";
import type { AnyResource } from "./protocol/resource.ts";
import { serve } from "./protocol/server.ts";
import { rancherKey } from "./rancher/rancherKey.ts";
import { reviewerToken } from "./token/reviewerToken.ts";

/** Every resource type of the plugin. */
const resources = [
  cluster,
  reviewerToken,
  signedCertificate,
  rancherKey,
  akeylessAuthMethod,
  akeylessGatewayAuthConfig,
  akeylessCertificate,
  akeylessRole,
  akeylessRoleAssociation,
] as unknown as readonly AnyResource[];

// Pulumi passes the settings of the stack to every plugin, secrets in plain text. The plugin does not read them, and exec plugins must not.
delete process.env.PULUMI_CONFIG;

const engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("-"));
const link = engineAddress === undefined ? undefined : engineLink(engineAddress);
const engine = watchEngine(link ?? noLink);
const server = await serve({ resources, env: process.env, now: Date.now, link, engineGone: engine.gone });

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
