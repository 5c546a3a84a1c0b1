/** Versions of API servers: the oldest that is tested, and what older ones do differently. */
import { numbersOf } from "../../kubernetes/cluster/version.ts";

/** The oldest minor version of Kubernetes 1 that the tests run. */
export const oldestTestedMinor = 34;

/** Differences of servers before a minor version of Kubernetes 1, from the oldest to the newest. docs/versions.md lists them too. */
const differences: readonly (readonly [minor: number, difference: string])[] = [
  [22, "the requested lifetime of a certificate is ignored"],
  [24, "each ServiceAccount gets a token Secret automatically"],
  [28, "there is no SelfSubjectReview, which reports a client's user name"],
  [30, "tokens and TokenReviews contain no token id and no node name"],
  [33, "hostUsers: false of the verifier needs a feature gate"],
];

/** Whether a version ("v1.36.3", "v1.31.2-eks-7f9249a") is older than a minor version of Kubernetes 1. False for a text that is not a version. */
export function isOlderThan(version: string, minor: number): boolean {
  const [major, own] = numbersOf(version) ?? [0, 0];
  return major === 1 && own < minor;
}

/** The warning about a server that is older than the oldest tested version. Undefined for other servers and for an unknown version. */
export function oldServerWarning(version: string): string | undefined {
  if (!isOlderThan(version, oldestTestedMinor)) return undefined;
  const known = differences.filter(([minor]) => isOlderThan(version, minor)).map(([, difference]) => difference);
  const list = known.length > 0 ? `Known differences: ${known.join("; ")}.` : "No difference is known.";
  return `The API server runs Kubernetes ${version}. The oldest version that k8sauth is tested with is 1.${oldestTestedMinor}. ${list} Test this stack on a cluster of this version before you rely on it, or upgrade the cluster.`;
}
