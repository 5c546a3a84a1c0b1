import type { KubeClient } from "../client.ts";
import { isKubeError } from "../errors.ts";

/** Major and minor number of a version ("v1.36.3", "v1.31.2-eks-7f9249a"); undefined for a text that is not a version. */
export function numbersOf(version: string): readonly [major: number, minor: number] | undefined {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor)];
}

/** Reads version ("v1.36.3") and product of the API server. The version is "" if the client may not read it. @throws KubeError */
export async function readVersion(client: KubeClient): Promise<{ version: string; distribution: string }> {
  try {
    const { gitVersion = "" } = await client.get<{ gitVersion?: string }>("/version");
    return { version: gitVersion, distribution: distributionOf(gitVersion, client.connection.server) };
  } catch (error) {
    if (!isKubeError(error, "KUBE_FORBIDDEN")) throw error;
    return { version: "", distribution: distributionOf("", client.connection.server) };
  }
}

/** The product that serves the API, by its version or its address; "Kubernetes" if neither shows it. */
export function distributionOf(gitVersion: string, server: string): string {
  const marks: readonly (readonly [RegExp, string])[] = [
    [/-eks-/, "EKS"],
    [/-gke\./, "GKE"],
    [/\+rke2/, "RKE2"],
    [/\+k3s/, "k3s"],
    [/\+k0s/, "k0s"],
    [/-rancher/, "RKE"],
    [/-aliyun/, "ACK"],
    [/-tke\./, "TKE"],
    [/\+vmware/, "VMware"],
    [/\+IKS/, "IKS"],
    [/-mirantis/, "MKE"],
  ];
  const hosts: readonly (readonly [RegExp, string])[] = [
    [/\.azmk8s\.io$/, "AKS"],
    [/\.eks\.amazonaws\.com(?:\.cn)?$/, "EKS"],
    [/\.gke\.goog$/, "GKE"],
    [/\.k8s\.ondigitalocean\.com$/, "DOKS"],
    [/\.linodelke\.net$/, "LKE"],
  ];
  const { hostname } = new URL(server);
  const find = (list: typeof marks, text: string) => list.find(([mark]) => mark.test(text))?.[1];
  return find(marks, gitVersion) ?? find(hosts, hostname) ?? "Kubernetes";
}
