/** Arguments of the verifier's manifests. */
import { type PodOptions, type VerifierSettings, verifierPod } from "../../../components/verifier/manifests.ts";
import { goodKey } from "../../support/verifier/tokens.ts";

export const labels = { "app.kubernetes.io/name": "verifier" };

export const program = { "verifier.mjs": "code", "verifier.licenses.txt": "licenses" };

export function podOf(more: Partial<PodOptions> = {}) {
  const pod = verifierPod({
    mode: "hybrid",
    image: "registry.example/node@sha256:0",
    labels,
    configMap: "verifier-1",
    serviceAccount: "verifier",
    ...more,
  });
  const [container] = pod.containers;
  if (!container) throw new Error("a pod without a container");
  return { pod, container };
}

export function settingsOf(more: Partial<VerifierSettings> = {}): VerifierSettings {
  const publicKeys = JSON.stringify({ keys: [goodKey.jwk] });
  return {
    mode: "hybrid",
    audiences: ["orders"],
    issuer: "https://issuer.example",
    publicKeys,
    allow: [],
    tls: false,
    ...more,
  };
}
