import type { ProviderErrorCode } from "../../../../provider/protocol/errors.ts";
import type { ErrorText } from "../text.ts";

export const cluster = {
  CLUSTER_HOST_INVALID: {
    meaning: "The gateway's address of the API server is not an https URL, or has credentials, a query or a fragment.",
    remedy:
      "Set `kubernetesHost` to a URL with only scheme, host, port and, if needed, a path: `https://k8s.example.com:6443`.",
  },
  CLUSTER_HOST_LOOPBACK: {
    meaning:
      "The gateway's address of the API server works only on this machine or inside the cluster: it is a loopback, link-local or cluster-internal address.",
    remedy:
      "Set `kubernetesHost` to an address that the gateway can reach. If the gateway runs on this machine or in the cluster, set `allowLoopbackHost` to `true`.",
  },
  CLUSTER_HOST_PROOF_FAILED: {
    meaning:
      "A test request to the API server by the gateway's address and CA failed. The message has the code of the cause.",
    remedy:
      "Correct `kubernetesHost` or `kubernetesCa`. If this machine cannot reach the host but the gateway can, set `proveHost` to `false`.",
  },
  CLUSTER_CA_PIN_MISMATCH: {
    meaning: "The host sends no CA certificate that has the fingerprint in `kubernetesCaPin` or `rancherCaPin`.",
    remedy:
      "Another server may be answering. If the CA was changed on purpose, get its fingerprint from a trusted source and set the pin to it. Pin the CA, not the server's own certificate.",
  },
  CLUSTER_CA_NOT_SHOWN: {
    meaning: "The host sends no CA certificate, so the CA cannot be taken from it by a pin or at first use.",
    remedy: "Set `kubernetesCa` (or `rancherCa`) to the CA certificates of the host, PEM.",
  },
  CLUSTER_CA_CHANGED: {
    meaning: "The host no longer shows a certificate of the CA that the first run trusted.",
    remedy:
      "Another server may be answering. If the CA was changed on purpose, get its fingerprint from a trusted source and set `kubernetesCaPin` to it.",
  },
  CLUSTER_CA_REQUIRED: {
    meaning: "A product of `products` needs the CA of the host in its auth config, and the kubeconfig contains none.",
    remedy:
      "Set `kubernetesCa` to the certificate of the CA that signed the host's certificate, even if it is a public CA.",
  },
  CLUSTER_RIGHTS_MISSING: {
    meaning: "The deployer lacks rights that the run needs. The message names each by verb, resource and namespace.",
    remedy:
      "Grant them to the user that the message names, or deploy as another user. [The deployer's rights](../examples/deployer-rights/README.md) has roles with the least that each flow needs.",
  },
  CLUSTER_NAME_TAKEN: {
    meaning:
      "The cluster has an object with a name that the stack is to create, and the object does not belong to the stack.",
    remedy: "Set another name, or delete the object if nothing uses it. The stack never takes over such an object.",
  },
  CLUSTER_OBJECT_MISSING: {
    meaning: "A namespace, an account or another object that the stack needs and does not create does not exist.",
    remedy: "Create it first, or correct its name. For a namespace, `createNamespace: true` makes the stack create it.",
  },
  CLUSTER_OBJECT_REFUSED: {
    meaning:
      "A quota, an admission webhook, a policy or the API server itself refuses an object that the stack creates in an existing namespace. The message quotes the reason. A dry run found it, and nothing was created.",
    remedy: "Do what the quoted message asks for: raise the quota, meet the rule, or use another namespace.",
  },
  CLUSTER_OTHER: {
    meaning:
      "The kubeconfig or the Rancher server leads to a cluster that is not the stack's, or the cluster cannot be identified.",
    remedy:
      "Set `context`, `kubeconfig` or `rancherClusterId` to the stack's cluster, and use another stack for another cluster. To identify a cluster, the deployer needs the right to get the namespace `kube-system`, or a CA.",
  },
} satisfies Partial<Record<ProviderErrorCode, ErrorText>>;
