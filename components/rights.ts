import type { BearerTokenUserArgs } from "./bearerTokenUser.ts";
import { furtherRules, type Product } from "./products.ts";
import type { TokenMode } from "./reviewerToken.ts";
import type { PolicyRule } from "./rules.ts";
import { tokenSecretName } from "./tokenSecret.ts";

/** A right of whoever deploys, as the API server's authorizer knows it. */
export interface Right {
  readonly verb: string;
  /** API group; "" is the core group. */
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  /** Without it the right is needed in the whole cluster. */
  readonly namespace?: string;
  readonly name?: string;
  /** Instead of a resource: a path of the API server. */
  readonly nonResourcePath?: string;
}

export const rbac = "rbac.authorization.k8s.io";
export const manage = ["create", "get", "patch", "delete"];

/** The same right for several verbs. */
export function all(verbs: readonly string[], right: Omit<Right, "verb">): Right[] {
  return verbs.map((verb) => ({ verb, ...right }));
}

/** To make, change and delete an object. Where its name is fixed, the right to that one is enough, but for making it. */
function managing({ name, ...right }: Omit<Right, "verb">): Right[] {
  return manage.map((verb) => ({ verb, ...right, ...(verb !== "create" && name && { name }) }));
}

/** What the reviewer's role is called in settings. */
export type ReviewerRole = "tokenreviews" | "auth-delegator";

/** What a TokenReviewer takes to make, change and delete. A namespace that is made up is not known yet: then it is the cluster. */
export function tokenReviewerRights(options: {
  readonly namespace?: string;
  readonly createNamespace: boolean;
  readonly serviceAccountName: string;
  readonly tokenMode: TokenMode;
  readonly bindingName?: string;
  readonly role: ReviewerRole;
  readonly products?: readonly Product[];
}): Right[] {
  const { serviceAccountName, tokenMode, bindingName, role } = options;
  const { namespace } = options;
  return [
    ...(options.createNamespace ? managing({ group: "", resource: "namespaces", name: namespace }) : []),
    ...accountRights(serviceAccountName, tokenMode, namespace),
    // Besides the token of mode tokenRequest it mints one as workloads have it, to see that a review accepts it.
    mintingRight(serviceAccountName, namespace),
    ...roleRights(role, furtherRules(options.products, "token"), bindingName),
  ];
}

function accountRights(account: string, tokenMode: TokenMode | undefined, namespace: string | undefined): Right[] {
  return [
    ...managing({ group: "", resource: "serviceaccounts", namespace, name: account }),
    ...managing({ group: "", resource: "secrets", namespace, name: tokenSecretName(account, tokenMode) }),
  ];
}

function mintingRight(name: string, namespace: string | undefined): Right {
  return { verb: "create", group: "", resource: "serviceaccounts", subresource: "token", namespace, name };
}

/**
 * What a BearerTokenUser takes: beside its objects, every right that its rules give (RBAC escalation prevention), or to bind
 * the ClusterRole.
 */
export function bearerTokenUserRights(
  user: Pick<BearerTokenUserArgs, "createNamespace" | "rules" | "clusterRole" | "scope" | "tokenMode"> & {
    readonly namespace: string;
    readonly serviceAccountName: string;
  },
): Right[] {
  const { namespace, rules, clusterRole, scope, serviceAccountName, tokenMode } = user;
  const where = scope === "cluster" ? {} : { namespace };
  const kinds = scope === "cluster" ? ["clusterrolebindings", "clusterroles"] : ["rolebindings", "roles"];
  const [bindings = "", roles = ""] = kinds;
  return [
    ...(user.createNamespace ? managing({ group: "", resource: "namespaces", name: namespace }) : []),
    ...accountRights(serviceAccountName, tokenMode, namespace),
    ...(tokenMode === "tokenRequest" ? [mintingRight(serviceAccountName, namespace)] : []),
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
export function clientCertificateRights(options: {
  readonly role: ReviewerRole;
  readonly approve: boolean;
  readonly products?: readonly Product[];
}): Right[] {
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
    ...roleRights(options.role, furtherRules(options.products, "certificate")),
  ];
}

/** What a GatewayAccount takes. */
export function gatewayAccountRights(role: ReviewerRole): Right[] {
  return roleRights(role, []);
}

function roleRights(role: ReviewerRole, further: readonly PolicyRule[], bindingName?: string): Right[] {
  const own = role === "tokenreviews";
  // A binding of a fixed name is one; the one for further rules is called as Pulumi likes.
  const named = further.length > 0 && !own ? undefined : bindingName;
  return [
    ...managing({ group: rbac, resource: "clusterrolebindings", name: named }),
    ...(own || further.length > 0 ? managing({ group: rbac, resource: "clusterroles" }) : []),
    // Nobody may give a right that they do not have themselves (RBAC escalation prevention).
    ...(own
      ? [{ verb: "create", group: "authentication.k8s.io", resource: "tokenreviews" }]
      : [{ verb: "bind", group: rbac, resource: "clusterroles", name: "system:auth-delegator" }]),
    ...further.flatMap(granted),
  ];
}
