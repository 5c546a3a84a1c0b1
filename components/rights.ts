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

function all(verbs: readonly string[], right: Omit<Right, "verb">): Right[] {
  return verbs.map((verb) => ({ verb, ...right }));
}

/** What the reviewer's role is called in settings. */
export type ReviewerRole = "tokenreviews" | "auth-delegator";

/** What a TokenReviewer takes to make, change and delete. A namespace that is made up is not known yet: then it is the cluster. */
export function tokenReviewerRights(options: {
  readonly namespace: string;
  readonly createNamespace: boolean;
  readonly role: ReviewerRole;
}): Right[] {
  const manage = ["create", "get", "patch", "delete"];
  const namespace = options.namespace || undefined;
  return [
    ...(options.createNamespace ? all(manage, { group: "", resource: "namespaces" }) : []),
    ...all(manage, { group: "", resource: "serviceaccounts", namespace }),
    ...all(manage, { group: "", resource: "secrets", namespace }),
    { verb: "create", group: "", resource: "serviceaccounts", subresource: "token", namespace },
    ...all(manage, { group: rbac, resource: "clusterrolebindings" }),
    ...(options.role === "tokenreviews"
      ? [
          ...all(manage, { group: rbac, resource: "clusterroles" }),
          // Nobody may give a right that they do not have themselves (RBAC escalation prevention).
          { verb: "create", group: "authentication.k8s.io", resource: "tokenreviews" },
        ]
      : [{ verb: "bind", group: rbac, resource: "clusterroles", name: "system:auth-delegator" }]),
  ];
}
