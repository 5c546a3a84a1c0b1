/** Namespaces of objects. */
import type { Policies } from "@pulumi/policy";
import { isKubernetesObject, isNamespace, isNamespaced, type ObjectMeta } from "../kubernetes.ts";
import { resourceRule } from "../rule.ts";
import { present } from "../unknowns.ts";

const noSharedNamespace = resourceRule<{ namespaces: readonly string[] }>({
  name: "no-default-namespace",
  level: "mandatory",
  severity: "medium",
  description: "Nothing is in the namespace default, or in Kubernetes' own.",
  reason: "These namespaces are shared: a user who may read Secrets there also reads the reviewer's token.",
  remedy:
    "Choose another namespace (k8sauth:namespace, k8sauth:verifierNamespace, k8sauth:akeylessGatewayAccount, or that of the user in k8sauth:bearerTokenUsers).",
  url: "https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/",
  tags: ["namespace", "cis-5.6.4"],
  settings: {
    namespaces: {
      type: "array",
      description: "Namespaces in which no object may be.",
      default: ["default", "kube-system", "kube-public", "kube-node-lease"],
    },
  },
  appliesTo: isKubernetesObject,
  check: ({ type, props }, report, { namespaces }) => {
    const given = (props.metadata as ObjectMeta | undefined)?.namespace;
    // In a preview, the default namespace of a provider may be unknown. The namespace is then absent.
    const namespace = isNamespaced(type) ? present(given, "metadata.namespace") : given;
    if (namespace && namespaces.includes(namespace)) report(`It is in the namespace ${namespace}.`);
  },
});

const enforce = "pod-security.kubernetes.io/enforce";

const restricted = resourceRule<{ levels: readonly string[] }>({
  name: "namespace-restricted",
  level: "advisory",
  severity: "medium",
  description: "Namespaces enforce the restricted Pod Security Standard.",
  reason: "With it the API server refuses pods that could take over the node.",
  remedy: `Set the label ${enforce}: restricted.`,
  url: "https://kubernetes.io/docs/concepts/security/pod-security-standards/",
  tags: ["namespace", "cis-5.2"],
  settings: { levels: { type: "array", description: "Levels that are accepted.", default: ["restricted"] } },
  appliesTo: isNamespace,
  check: ({ props }, report, { levels }) => {
    const level = (props.metadata as ObjectMeta | undefined)?.labels?.[enforce] ?? "none";
    if (!levels.includes(level)) report(`It enforces ${level}.`);
  },
});

export const namespaceRules: Policies = [noSharedNamespace, restricted];
