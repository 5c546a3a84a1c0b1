import { loadConfig, parseKeyFile, VerifierError } from "../../verifier/config/index.ts";
import { ownSettings, type VerifierSettings, verifierConfig } from "./manifests.ts";

/** As every pod finds the API server. */
const inCluster = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };

/** What the verifier itself would say of its configuration and keys when it starts; undefined where it would be content. */
export function checkVerifierConfig(settings: VerifierSettings): string | undefined {
  const own = Object.keys(settings.more ?? {}).find((name) => ownSettings.includes(name));
  if (own) return `${own} cannot be set among the verifier's further settings: it follows from the others.`;
  if (settings.more?.issuers && settings.mode === "jwt-pubkey")
    return "issuers are for modes other than jwt-pubkey, whose pods have neither a token nor a way to another server.";
  try {
    loadConfig({ args: ["--config", "config.json"], env: inCluster, readFile: () => verifierConfig(settings) });
    if (settings.mode === "jwt-pubkey") parseKeyFile(settings.publicKeys, "What is given as public keys");
    return undefined;
  } catch (error) {
    if (error instanceof VerifierError) return `${error.code}: ${error.message}`;
    throw error;
  }
}
