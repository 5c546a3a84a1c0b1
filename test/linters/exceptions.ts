import type { Finding } from "./index.ts";

/** Demands of kube-score that the product does not meet, with the reason. kubeconform has no exceptions. */
export interface Exception {
  /** kube-score's id of the check. */
  readonly check: string;
  /** `KIND/NAME`. */
  readonly object: string;
  readonly why: string;
}

const verifier = "Deployment/verifier";
const noCpuLimit =
  "A CPU limit throttles the verifier when the most callers wait for it. Its CPU request gives it its share among busy neighbours.";

export const exceptions: readonly Exception[] = [
  { check: "container-resources", object: verifier, why: noCpuLimit },
  { check: "container-cpu-requests-equal-limits", object: verifier, why: noCpuLimit },
  {
    check: "container-memory-requests-equal-limits",
    object: verifier,
    why: "Its request is what everyday use needs. Its limit is what its caches need in a flood of tokens: twice as much.",
  },
  {
    check: "container-resource-requests-equal-limits",
    object: verifier,
    why: "The two above in one check: no CPU limit, and room in memory for a flood.",
  },
  {
    check: "container-ephemeral-storage-request-and-limit",
    object: verifier,
    why: "It writes nothing: its root is read-only and no volume of its own can be written to. Only its log counts, which the kubelet rotates; a limit below what it keeps of logs would evict the pod.",
  },
  {
    check: "container-image-pull-policy",
    object: verifier,
    why: "An image that is pinned by digest, as the policy image-pinned demands, can't be another one on a node that has it. Always would let no pod start while the registry is away.",
  },
  {
    check: "deployment-has-host-podantiaffinity",
    object: verifier,
    why: "Topology spread constraints keep the pods on different nodes and in different zones; a second rule for the same would only be in their way.",
  },
  {
    check: "ingress-targets-service",
    object: "Ingress/orders",
    why: "An example of annotations: the Service orders is the reader's own.",
  },
];

/** Findings without an exception, and the exceptions that were needed. */
export function withoutExceptions(findings: readonly Finding[]): {
  readonly left: readonly Finding[];
  readonly needed: ReadonlySet<Exception>;
} {
  const needed = new Set<Exception>();
  const left = findings.filter(({ linter, check, object }) => {
    const exception = exceptions.find((candidate) => candidate.check === check && candidate.object === object);
    if (!exception || linter !== "kube-score") return true;
    needed.add(exception);
    return false;
  });
  return { left, needed };
}
