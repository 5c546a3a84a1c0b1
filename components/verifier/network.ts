import { isIP } from "node:net";
import { type VerifierMode, verifierPorts } from "./manifests.ts";

/** Pods, selected by labels. */
export interface Callers {
  /** Labels of their namespaces. @default every namespace */
  readonly namespaceLabels?: Record<string, string>;
  /** Labels of the pods. @default every pod */
  readonly podLabels?: Record<string, string>;
}

export interface NetworkOptions {
  readonly mode: VerifierMode;
  /** Labels of the verifier's pods. */
  readonly labels: Record<string, string>;
  /** Pods that may call the verifier. */
  readonly callers: readonly Callers[];
  /** Pods that may read its metrics. */
  readonly monitoring: readonly Callers[];
  /** Port of the API server outside of the cluster. */
  readonly apiPort: number;
  /** Networks of the API server and of issuers, as CIDRs. @default every address */
  readonly egressCidrs?: readonly string[];
}

/** The problem of a list of CIDRs; undefined without one. */
export function cidrsProblem(cidrs: readonly string[]): string | undefined {
  const invalid = cidrs.find((cidr) => {
    const [address = "", bits = "", ...rest] = cidr.split("/");
    const version = isIP(address);
    return rest.length > 0 || version === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (version === 4 ? 32 : 128);
  });
  return invalid === undefined
    ? undefined
    : `egressCidrs has ${JSON.stringify(invalid)}. Set networks such as 10.0.0.1/32 or fd00::/8.`;
}

/**
 * The NetworkPolicy of the verifier's pods. It admits callers and monitoring. In modes that need a server, it also permits connections to DNS, the
 * API server and issuers.
 */
export function verifierNetwork({ mode, labels, callers, monitoring, apiPort, egressCidrs = [] }: NetworkOptions) {
  const tcp = (port: number) => ({ protocol: "TCP", port });
  const egress = [
    {
      ports: [...new Set([443, 6443, apiPort])].map(tcp),
      // No selector can select the API server.
      ...(egressCidrs.length > 0 && { to: egressCidrs.map((cidr) => ({ ipBlock: { cidr } })) }),
    },
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
