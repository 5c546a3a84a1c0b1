import { loadConfig, parseKeyFile, VerifierError } from "../../verifier/config/index.ts";
import { derivedSettings, type VerifierSettings, verifierConfig } from "./manifests.ts";

/** Environment of a pod. */
const inCluster = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };

/** The problem that the verifier would report when it starts with this configuration; undefined without one. */
export function verifierConfigProblem(settings: VerifierSettings): string | undefined {
  const derived = Object.keys(settings.more ?? {}).find((name) => derivedSettings.includes(name));
  if (derived) return `${derived} cannot be set among the verifier's further settings: it follows from the others.`;
  if (settings.more?.issuers && settings.mode === "jwt-pubkey")
    return "issuers cannot be set in mode jwt-pubkey: its pods have no token and connect to no server.";
  try {
    loadConfig({ args: ["--config", "config.json"], env: inCluster, readFile: () => verifierConfig(settings) });
    if (settings.mode === "jwt-pubkey") parseKeyFile(settings.publicKeys, "publicKeys");
    return undefined;
  } catch (error) {
    if (error instanceof VerifierError) return `${error.code}: ${error.message}`;
    throw error;
  }
}
