import { loadConfig } from "../verifier/config/load.ts";
import { VerifierError } from "../verifier/errors.ts";
import { parseKeyFile } from "../verifier/keys/keySet.ts";
import { type VerifierSettings, verifierConfig } from "./verifierManifests.ts";

/** As every pod finds the API server. */
const inCluster = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };

/** What the verifier itself would say of its configuration and keys when it starts; undefined where it would be content. */
export function checkVerifierConfig(settings: VerifierSettings): string | undefined {
  try {
    loadConfig({ args: ["--config", "config.json"], env: inCluster, readFile: () => verifierConfig(settings) });
    if (settings.mode === "jwt-pubkey") parseKeyFile(settings.publicKeys, "What is given as public keys");
    return undefined;
  } catch (error) {
    if (error instanceof VerifierError) return error.message;
    throw error;
  }
}
