import { type VerifierMode, verifierPorts } from "./verifierManifests.ts";

/** Pods by the labels of their namespaces, and by their own. Empty selectors are all. */
export interface Callers {
  readonly namespaceLabels?: Record<string, string>;
  readonly podLabels?: Record<string, string>;
}

export interface NetworkOptions {
  readonly mode: VerifierMode;
  /** Of the verifier's pods. */
  readonly labels: Record<string, string>;
  /** Who may ask it. */
  readonly callers: readonly Callers[];
  /** Who may read its metrics. */
  readonly monitoring: readonly Callers[];
  /** Port of the API server as it is known from outside. */
  readonly apiPort: number;
}

/** Lets callers in, and the verifier out to no more than its mode takes: the API server or an issuer, and the cluster's DNS. */
export function verifierNetwork({ mode, labels, callers, monitoring, apiPort }: NetworkOptions) {
  const tcp = (port: number) => ({ protocol: "TCP", port });
  const egress = [
    // No selector can name the API server.
    { ports: [...new Set([443, 6443, apiPort])].map(tcp) },
    { ports: [{ protocol: "UDP", port: 53 }, tcp(53)] },
  ];
  return {
    podSelector: { matchLabels: labels },
    policyTypes: ["Ingress", "Egress"],
    ingress: [
      { from: callers.map(peer), ports: [tcp(verifierPorts.http)] },
      ...(monitoring.length > 0 ? [{ from: monitoring.map(peer), ports: [tcp(verifierPorts.admin)] }] : []),
    ],
    egress: mode === "jwt-pubkey" ? [] : egress,
  };
}

function peer({ namespaceLabels = {}, podLabels }: Callers) {
  return {
    namespaceSelector: { matchLabels: namespaceLabels },
    ...(podLabels && { podSelector: { matchLabels: podLabels } }),
  };
}
