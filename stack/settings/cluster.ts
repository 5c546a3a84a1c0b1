import * as v from "valibot";
import { inClusterContext as inCluster } from "../../kubernetes/kubeconfig/inCluster.ts";
import type { Refuse } from "./read.ts";
import { choice, flag, secretText, text, type Values } from "./setting.ts";

/** The stack's cluster, the deployer's kubeconfig, and the gateway's way to the API server. */
export const clusterSettings = {
  context: text({
    unset: "required",
    description: `The stack's cluster: the name of a context in the kubeconfig, or \`${inCluster}\` for the ServiceAccount of the pod that Pulumi runs in.`,
  }),
  kubeconfig: secretText({
    unset: "`KUBECONFIG`, then `~/.kube/config`",
    description: "[Kubeconfig](kubeconfig.md) of the deployer, as a path or as content. Set content with `--secret`.",
  }),
  offline: choice(["fail", "warn"], {
    default: "fail",
    description:
      "Behavior if the stack exists and its cluster cannot be reached. `fail`: preview, up and refresh fail, because drift cannot be seen. `warn`: they [continue with a warning](kubeconfig.md#a-cluster-that-cannot-be-reached). A new stack can be previewed without a cluster either way.",
  }),
  kubernetesHost: text(
    {
      inputs: ["Cluster.host", "ReviewerToken.host", "SignedCertificate.host"],
      unset: "the kubeconfig's server",
      description: "https URL at which the gateway reaches the API server.",
    },
    v.check((value) => URL.canParse(value), "must be a URL such as https://api.example.com:6443"),
  ),
  kubernetesCa: text({
    inputs: ["Cluster.caPem", "ReviewerToken.caPem", "SignedCertificate.caPem"],
    unset: "the kubeconfig's CA",
    description: "CA certificates of the host, PEM.",
  }),
  kubernetesCaPin: text({
    inputs: ["Cluster.caPin"],
    unset: "none",
    description:
      "SHA-256 of the host's CA certificate, of its public key (as kubeadm prints it), or Rancher's checksum of `cacerts`. The CA is then read from the host itself.",
  }),
  trustOnFirstUse: flag({
    inputs: ["Cluster.trustOnFirstUse"],
    default: false,
    description:
      "Reads the CA from the host itself in the first run, without a check. All later runs compare the host's CA with it. Prefer `kubernetesCaPin`.",
  }),
  allowLoopbackHost: flag({
    inputs: ["Cluster.allowLoopback", "RancherKey.allowLoopback"],
    default: false,
    description: "Accepts a host that only this machine can reach, for a gateway on this machine.",
  }),
  proveHost: flag({
    inputs: ["Cluster.proveHost", "ReviewerToken.proveHost", "SignedCertificate.proveHost", "RancherKey.proveHost"],
    default: true,
    description:
      "Tests host, CA and credentials from the machine that runs Pulumi. Set it to `false` if only the gateway reaches the host: credentials are then tested at the kubeconfig's server.",
  }),
} as const;

/** Refuses contradictions between the settings of the cluster. */
export function checkCluster(values: Values<typeof clusterSettings>, refuse: Refuse): void {
  const { context, kubeconfig, kubernetesCa, kubernetesCaPin, trustOnFirstUse } = values;
  if (context === inCluster && kubeconfig !== undefined) {
    refuse(["kubeconfig", "context"], `is set, but k8sauth:context is ${inCluster}. Unset one of them`);
  }
  if ([kubernetesCa !== undefined, kubernetesCaPin !== undefined, trustOnFirstUse].filter(Boolean).length > 1) {
    refuse(
      ["kubernetesCa", "kubernetesCaPin", "trustOnFirstUse"],
      "contradicts k8sauth:kubernetesCaPin and k8sauth:trustOnFirstUse. Set one of the three",
    );
  }
}
