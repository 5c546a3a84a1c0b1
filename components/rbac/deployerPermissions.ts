import type { BearerTokenUserArgs } from "../bearerTokenUser.ts";
import type { Right } from "../cluster.ts";
import { type Product, productRules } from "../products.ts";
import { defaultUserTokenMode, type TokenMode } from "../resources/reviewerToken.ts";
import { type TokenSecretNaming, tokenSecretNames } from "../resources/tokenSecret.ts";
import type { Rotation } from "../rotation.ts";
import { type PolicyRule, rbacGroup } from "./rules.ts";

/**
 * Verbs to create, change and delete objects of a kind. The Kubernetes plugin waits for a deletion with an informer, which lists and watches
 * the whole kind. Without these two verbs it waits until the run is canceled, without a message.
 */
const manageVerbs = ["create", "get", "list", "watch", "patch", "delete"];
/** Verbs of requests without an object's name: `create`, and the informer's `list` and `watch`. */
const unnamedVerbs = ["create", "list", "watch"];

/** The same right for several verbs. */
export function withVerbs(verbs: readonly string[], right: Omit<Right, "verb">): Right[] {
  return verbs.map((verb) => ({ verb, ...right }));
}

/** Permissions to create, change and delete an object. With a fixed name, `get`, `patch` and `delete` are limited to that object. */
export function manageRights({ name, ...right }: Omit<Right, "verb">): Right[] {
  return manageVerbs.map((verb) => ({ verb, ...right, ...(!unnamedVerbs.includes(verb) && name && { name }) }));
}

/** Roles of a reviewer. */
export const reviewerRoleNames = ["tokenreviews", "auth-delegator"] as const;
export type ReviewerRole = (typeof reviewerRoleNames)[number];

/**
 * Permissions to create, change and delete a TokenReviewer. Without `namespace` they apply to the whole cluster, because the name of a generated
 * namespace is not known yet.
 */
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
    ...(options.createNamespace ? manageRights({ group: "", resource: "namespaces", name: namespace }) : []),
    ...accountRights(options, namespace),
    // The plugin also requests a token like a workload's, to test that a review accepts it.
    tokenRequestRight(serviceAccountName, namespace),
    ...reviewerRoleRights(role, productRules(options.products, "token"), bindingName),
  ];
}

function accountRights(account: TokenSecretNaming, namespace: string | undefined): Right[] {
  return [
    ...manageRights({ group: "", resource: "serviceaccounts", namespace, name: account.serviceAccountName }),
    ...tokenSecretNames(account).flatMap((name) => manageRights({ group: "", resource: "secrets", namespace, name })),
  ];
}

function tokenRequestRight(name: string, namespace: string | undefined): Right {
  return { verb: "create", group: "", resource: "serviceaccounts", subresource: "token", namespace, name };
}

/**
 * Permissions to create, change and delete a BearerTokenUser. They include all permissions of its rules, or `bind` of its ClusterRole (RBAC
 * escalation prevention).
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
    ...(user.createNamespace ? manageRights({ group: "", resource: "namespaces", name: namespace }) : []),
    ...accountRights({ ...user, tokenMode }, namespace),
    ...(tokenMode === "tokenRequest" ? [tokenRequestRight(serviceAccountName, namespace)] : []),
    ...manageRights({ group: rbacGroup, resource: bindings, ...where }),
    ...(rules ? manageRights({ group: rbacGroup, resource: roles, ...where }) : []),
    ...(clusterRole ? [{ verb: "bind", group: rbacGroup, resource: "clusterroles", name: clusterRole, ...where }] : []),
    ...(rules ?? []).flatMap((rule) => rightsOf(rule).map((right) => ({ ...right, ...where }))),
  ];
}

/** The single permissions of a rule. */
function rightsOf({ apiGroups = [""], resources, verbs, resourceNames }: PolicyRule): Right[] {
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
    ...withVerbs(["create", "get", "delete"], { group, resource }),
    ...(options.approve
      ? [
          { verb: "update", group, resource, subresource: "approval" },
          { verb: "approve", group, resource: "signers", name: clientSigner },
        ]
      : []),
    ...reviewerRoleRights(options.role, productRules(options.products, "certificate")),
  ];
}

/** Permissions to create, change and delete a GatewayAccount. */
export function gatewayAccountRights(role: ReviewerRole): Right[] {
  return reviewerRoleRights(role, []);
}

function reviewerRoleRights(role: ReviewerRole, further: readonly PolicyRule[], bindingName?: string): Right[] {
  const createsRole = role === "tokenreviews";
  // The binding of a separate role for the further rules has a generated name.
  const name = further.length > 0 && !createsRole ? undefined : bindingName;
  return [
    ...manageRights({ group: rbacGroup, resource: "clusterrolebindings", name }),
    ...(createsRole || further.length > 0 ? manageRights({ group: rbacGroup, resource: "clusterroles" }) : []),
    // A user can grant only permissions that it has itself (RBAC escalation prevention).
    ...(createsRole
      ? [{ verb: "create", group: "authentication.k8s.io", resource: "tokenreviews" }]
      : [{ verb: "bind", group: rbacGroup, resource: "clusterroles", name: "system:auth-delegator" }]),
    ...further.flatMap(rightsOf),
  ];
}
