/** The resource plugin `k8sauth`, as a process: serves on a free local port and prints it as its first line. */
import {
  akeylessAuthMethod,
  akeylessCertificate,
  akeylessGatewayAuthConfig,
  akeylessRoleAssociation,
} from "./akeyless/index.ts";
import { cluster } from "./cluster.ts";
import { engineLink, silentLink, watchEngine } from "./engine.ts";
import { rancherKey } from "./rancherKey.ts";
import type { AnyResource } from "./resource.ts";
import { reviewerToken } from "./reviewerToken.ts";
import { serve } from "./server.ts";
import { signedCertificate } from "./signedCertificate.ts";

/** Every type that the plugin has. */
const resources = [
  cluster,
  reviewerToken,
  signedCertificate,
  rancherKey,
  akeylessAuthMethod,
  akeylessGatewayAuthConfig,
  akeylessCertificate,
  akeylessRoleAssociation,
] as unknown as readonly AnyResource[];

const engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("-"));
const link = engineAddress === undefined ? undefined : engineLink(engineAddress);
const server = await serve({ resources, env: process.env, now: Date.now, link });

const end = async (status: number) => {
  // Waits end when they are cancelled; a call that does not end is not waited for.
  setTimeout(() => process.exit(status), 200);
  await server.drain();
  process.exit(status);
};
process.once("SIGTERM", () => end(143));
// The Pulumi CLI ends its plugins by this signal; a Ctrl-C of the terminal does not reach them, for it sends Cancel.
process.once("SIGINT", () => end(130));
watchEngine(link ?? silentLink, () => end(0));

process.stdout.write(`${server.port}\n`);

// Most kubeconfigs are YAML: its parser is read while the engine is still busy with other things.
void import("yaml").catch(() => {});
