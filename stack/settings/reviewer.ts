import { dnsLabel, dnsSubdomain } from "../../components/names.ts";
import { products } from "../../components/products.ts";
import { reviewerRoleNames } from "../../components/rbac/deployerPermissions.ts";
import { accountNameLimit } from "../../components/rotation.ts";
import { defaultServiceAccountName } from "../../components/tokenReviewer.ts";
import type { Refuse } from "./read.ts";
import { choice, flag, list, objectName, oneOf, text, type Values } from "./setting.ts";

/** The reviewer: names, namespace, role and audience. */
export const reviewerSettings = {
  tokenFlow: flag({ default: true, description: "Creates a reviewer with a token." }),
  certificateFlow: flag({
    default: false,
    description:
      "Creates a reviewer with a client certificate. EKS and other clusters that sign no client certificates need the token flow.",
  }),
  namespace: text(
    { unset: "a generated name", description: "Namespace of the reviewer's ServiceAccount." },
    objectName(dnsLabel, 63),
  ),
  createNamespace: flag({ default: true, description: "Creates the namespace. `false` uses one that exists." }),
  serviceAccountName: text(
    {
      default: defaultServiceAccountName,
      description: `Name of the reviewer's ServiceAccount, at most ${accountNameLimit} characters. The name of its token Secret has the suffix \`-token\`, or \`-bound-token\` with \`tokenMode: tokenRequest\`, and then \`-EPOCH\` with a rotation.`,
    },
    objectName(dnsSubdomain, accountNameLimit),
  ),
  bindingName: text(
    {
      unset: "a generated name",
      description:
        "Name of the ClusterRoleBinding. A fixed name must be free: the guides of many products use the same one.",
    },
    objectName(dnsSubdomain, 253),
  ),
  reviewerRole: choice(reviewerRoleNames, {
    default: "tokenreviews",
    description:
      "`tokenreviews`: a role that may create TokenReviews and nothing else. `auth-delegator`: the cluster's `system:auth-delegator`, which may also create SubjectAccessReviews.",
  }),
  products: list(oneOf(products), {
    choices: products,
    example: "'products[0]' consul",
    description:
      "Products to prepare for: `consul` adds its auth config and the right to get ServiceAccounts, `infisical` its auth config, `spire` the right to get pods and nodes. The auth configs of Vault, OpenBao and Akeyless need no entry here.",
  }),
  audience: text({
    inputs: ["ReviewerToken.audience"],
    unset: "the API server's audience",
    description:
      "Audience of the tokens that workloads log in with. Prefer one that is not the API server's: a gateway that receives a token for the API server's audience can act as the workload in the cluster. Akeyless and Consul name no audience in their reviews: for them, set one of the API server's (`--api-audiences`).",
  }),
  validateIssuer: flag({
    default: false,
    description: "Whether the gateway compares the issuer of a token, in addition to the API server's review.",
  }),
  protect: flag({
    unset: "`false`",
    description:
      "`true` refuses `pulumi destroy`, and every change that deletes or replaces the reviewer's ServiceAccount, namespace, role or binding: see [protection](state.md#protection). Renewal and rotation go on.",
  }),
} as const;

/** Refuses contradictions between the settings of the reviewer. */
export function checkReviewer(values: Values<typeof reviewerSettings>, refuse: Refuse): void {
  if (!values.createNamespace && !values.namespace) {
    refuse(["createNamespace", "namespace"], "is false, but k8sauth:namespace is not set");
  }
}
