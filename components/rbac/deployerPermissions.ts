import type { BearerTokenUserArgs } from "../bearerTokenUser.ts";
import type { Right } from "../cluster.ts";
import { type Product, productRules } from "../products.ts";
import { defaultUserTokenMode, type TokenMode } from "../resources/reviewerToken.ts";
import { type TokenSecretNaming, tokenSecretNames } from "../resources/tokenSecret.ts";
import type { Rotation } from "../rotation.ts";
import type { PolicyRule } from "./rules.ts";

export const rbac = "rbac.authorization.k8s.io";
/**
 * To create, change and delete a kind. The Kubernetes plugin waits for the end of what it deletes with an informer, which lists and
 * watches the whole kind; without these two verbs it waits for as long as the run lasts, and says nothing.
 */
export const manage = ["create", "get", "list", "watch", "patch", "delete"];
/** Verbs for which Kubernetes knows no name of an object, or the informer gives none. */
const unnamed = ["create", "list", "watch"];

/** The same right for several verbs. */
export function all(verbs: readonly string[], right: Omit<Right, "verb">): Right[] {
  return verbs.map((verb) => ({ verb, ...right }));
}

/** To create, change and delete an object. Where its name is fixed, the right to that one is enough for `get`, `patch` and `delete`. */
function managing({ name, ...right }: Omit<Right, "verb">): Right[] {
  return manage.map((verb) => ({ verb, ...right, ...(!unnamed.includes(verb) && name && { name }) }));
}

/** What the reviewer's role is called in settings. */
export const reviewerRoleNames = ["tokenreviews", "auth-delegator"] as const;
export type ReviewerRole = (typeof reviewerRoleNames)[number];

/** Permissions to create, change and delete a TokenReviewer. The name of a generated namespace is not known yet: they then apply to the whole cluster. */
export function tokenReviewerRights(options: {
  readonly namespace?: string;
  readonly createNamespace: boolean;
  readonly serviceAccountName: string;
  readonly tokenMode: TokenMode;
  readonly rotation?: Rotation;
  readonly bindingName?: string;
  readonly role: ReviewerRole;
  readonly products?: readonly Product[];
}): Right[] {
  const { serviceAccountName, bindingName, role } = options;
  const { namespace } = options;
  return [
    ...(options.createNamespace ? managing({ group: "", resource: "namespaces", name: namespace }) : []),
    ...accountRights(options, namespace),
    // Besides the token of mode tokenRequest it mints one as workloads have it, to see that a review accepts it.
    mintingRight(serviceAccountName, namespace),
    ...roleRights(role, productRules(options.products, "token"), bindingName),
  ];
}

function accountRights(account: TokenSecretNaming, namespace: string | undefined): Right[] {
  return [
    ...managing({ group: "", resource: "serviceaccounts", namespace, name: account.serviceAccountName }),
    ...tokenSecretNames(account).flatMap((name) => managing({ group: "", resource: "secrets", namespace, name })),
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
  user: Pick<BearerTokenUserArgs, "createNamespace" | "rules" | "clusterRole" | "scope" | "tokenMode" | "rotation"> & {
    readonly namespace: string;
    readonly serviceAccountName: string;
  },
): Right[] {
  const { namespace, rules, clusterRole, scope, serviceAccountName, tokenMode = defaultUserTokenMode } = user;
  const where = scope === "cluster" ? {} : { namespace };
  const kinds = scope === "cluster" ? ["clusterrolebindings", "clusterroles"] : ["rolebindings", "roles"];
  const [bindings = "", roles = ""] = kinds;
  return [
    ...(user.createNamespace ? managing({ group: "", resource: "namespaces", name: namespace }) : []),
    ...accountRights({ ...user, tokenMode }, namespace),
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

/** Signer of client certificates that the API server accepts. */
export const clientSigner = "kubernetes.io/kube-apiserver-client";

/** Permissions to create, change and delete a ClientCertificate. A user who can approve requests for this signer can become any user. */
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
    ...roleRights(options.role, productRules(options.products, "certificate")),
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
    // A user can grant only permissions that it has itself (RBAC escalation prevention).
    ...(own
      ? [{ verb: "create", group: "authentication.k8s.io", resource: "tokenreviews" }]
      : [{ verb: "bind", group: rbac, resource: "clusterroles", name: "system:auth-delegator" }]),
    ...further.flatMap(granted),
  ];
}
