/** A right of whoever deploys, as the API server's authorizer knows it. */
export interface Right {
  readonly verb: string;
  /** API group; "" is the core group. */
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Without it the right is needed in the whole cluster. */
  readonly namespace?: string;
  readonly name?: string;
}

const rbac = "rbac.authorization.k8s.io";
const manage = ["create", "get", "patch", "delete"];

function all(verbs: readonly string[], right: Omit<Right, "verb">): Right[] {
  return verbs.map((verb) => ({ verb, ...right }));
}

/** What the reviewer's role is called in settings. */
export type ReviewerRole = "tokenreviews" | "auth-delegator";

/** What a TokenReviewer takes to make, change and delete. A namespace that is made up is not known yet: then it is the cluster. */
export function tokenReviewerRights(options: {
  readonly namespace?: string;
  readonly createNamespace: boolean;
  readonly role: ReviewerRole;
}): Right[] {
  const { namespace } = options;
  return [
    ...(options.createNamespace ? all(manage, { group: "", resource: "namespaces" }) : []),
    ...all(manage, { group: "", resource: "serviceaccounts", namespace }),
    ...all(manage, { group: "", resource: "secrets", namespace }),
    { verb: "create", group: "", resource: "serviceaccounts", subresource: "token", namespace },
    ...roleRights(options.role),
  ];
}

const clientSigner = "kubernetes.io/kube-apiserver-client";

/** What a ClientCertificate takes. Whoever may approve for this signer can become any user: the right to guard most. */
export function clientCertificateRights(options: { readonly role: ReviewerRole; readonly approve: boolean }): Right[] {
  const group = "certificates.k8s.io";
  const resource = "certificatesigningrequests";
  return [
    ...all(["create", "get", "delete"], { group, resource }),
    ...(options.approve
      ? [
          { verb: "update", group, resource, subresource: "approval" },
          { verb: "approve", group, resource: "signers", name: clientSigner },
        ]
      : []),
    ...roleRights(options.role),
  ];
}

function roleRights(role: ReviewerRole): Right[] {
  return [
    ...all(manage, { group: rbac, resource: "clusterrolebindings" }),
    ...(role === "tokenreviews"
      ? [
          ...all(manage, { group: rbac, resource: "clusterroles" }),
          // Nobody may give a right that they do not have themselves (RBAC escalation prevention).
          { verb: "create", group: "authentication.k8s.io", resource: "tokenreviews" },
        ]
      : [{ verb: "bind", group: rbac, resource: "clusterroles", name: "system:auth-delegator" }]),
  ];
}
