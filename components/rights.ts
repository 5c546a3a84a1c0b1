import type { BearerTokenUserArgs } from "./bearerTokenUser.ts";
import type { PolicyRule } from "./rules.ts";

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

/**
 * What a BearerTokenUser takes: beside its objects, every right that its rules give (RBAC escalation prevention), or to bind
 * the ClusterRole.
 */
export function bearerTokenUserRights(
  user: Pick<
    BearerTokenUserArgs,
    "namespace" | "createNamespace" | "rules" | "clusterRole" | "scope" | "tokenMode" | "serviceAccountName"
  >,
): Right[] {
  const { namespace, rules, clusterRole, scope, serviceAccountName } = user;
  const where = scope === "cluster" ? {} : { namespace };
  const kinds = scope === "cluster" ? ["clusterrolebindings", "clusterroles"] : ["rolebindings", "roles"];
  const [bindings = "", roles = ""] = kinds;
  return [
    ...(user.createNamespace ? all(manage, { group: "", resource: "namespaces" }) : []),
    ...all(manage, { group: "", resource: "serviceaccounts", namespace }),
    ...all(manage, { group: "", resource: "secrets", namespace }),
    ...(user.tokenMode === "tokenRequest"
      ? [
          {
            verb: "create",
            group: "",
            resource: "serviceaccounts",
            subresource: "token",
            namespace,
            name: serviceAccountName,
          },
        ]
      : []),
    ...all(manage, { group: rbac, resource: bindings, ...where }),
    ...(rules ? all(manage, { group: rbac, resource: roles, ...where }) : []),
    ...(clusterRole ? [{ verb: "bind", group: rbac, resource: "clusterroles", name: clusterRole, ...where }] : []),
    ...(rules ?? []).flatMap((rule) => granted(rule).map((right) => ({ ...right, ...where }))),
  ];
}

/** Every single right of a rule. */
function granted({ apiGroups = [""], resources, verbs, resourceNames }: PolicyRule): Right[] {
  const names = resourceNames?.length ? resourceNames : [undefined];
  return apiGroups.flatMap((group) =>
    resources.flatMap((path) => {
      const [resource = "", subresource] = path.split("/");
      return names.flatMap((name) => verbs.map((verb) => ({ verb, group, resource, subresource, name })));
    }),
  );
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
