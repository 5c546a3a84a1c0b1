import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster, ReservedName } from "./cluster.ts";
import { inputsOf } from "./inputs.ts";
import { labelled } from "./labels.ts";
import { componentNamespace } from "./namespace.ts";
import { type Product, productRules } from "./products.ts";
import { bindClusterRole, replaceWithSubject, serviceAccountSubject } from "./rbac/bindings.ts";
import type { ReviewerRole } from "./rbac/deployerPermissions.ts";
import { reviewerRoles } from "./rbac/reviewerRole.ts";
import { rbacGroup } from "./rbac/rules.ts";
import { ReviewerToken, type TokenMode } from "./resources/reviewerToken.ts";
import {
  accountArgs,
  accountNames,
  accountTokenInputs,
  type TokenSecrets,
  tokenSecrets,
} from "./resources/tokenSecret.ts";
import type { Rotation } from "./rotation.ts";

export interface TokenReviewerArgs {
  /** The checked cluster. The token is proved at its host. */
  readonly cluster: Cluster;
  /** Namespace of the ServiceAccount. @default a new namespace with a generated name */
  readonly namespace?: string;
  /** Creates the namespace. If false, `namespace` must exist. @default true */
  readonly createNamespace?: boolean;
  /**
   * Name of the ServiceAccount. The token Secret has the same name with the suffix `-token` (`secret`) or `-bound-token`
   * (`tokenRequest`), followed by `-EPOCH` with a rotation.
   *
   * @default "gateway-token-reviewer"
   */
  readonly serviceAccountName?: string;
  /**
   * Role of the ServiceAccount. `tokenreviews`: a new ClusterRole that allows `create tokenreviews` and nothing else.
   * `auth-delegator`: the built-in `system:auth-delegator`, which also allows SubjectAccessReviews.
   *
   * @default "tokenreviews"
   */
  readonly role?: ReviewerRole;
  /** Products whose further permissions are added to the role: `consul` and `spire` need some, `infisical` none. @default [] */
  readonly products?: readonly Product[];
  /**
   * Name of the ClusterRoleBinding. The guides of several products use `role-tokenreview-binding`, so that installations overwrite each
   * other's bindings.
   *
   * @default a generated name
   */
  readonly bindingName?: string;
  /** Audience of the tokens that workloads log in with. @default the API server's own audience */
  readonly audience?: string;
  /**
   * Source of the token. `secret`: a token Secret; the token does not expire. `tokenRequest`: a TokenRequest; the token expires and is
   * renewed by the next `pulumi up`, so schedule one. Deleting the Secret revokes the token in both modes.
   *
   * @default "secret"
   */
  readonly tokenMode?: TokenMode;
  /** Requested lifetime in mode `tokenRequest`, in seconds, at least 600. The API server may shorten it. @default 2592000 (30 days) */
  readonly tokenExpirationSeconds?: number;
  /**
   * Time before expiry from which on `pulumi up` renews the token, in seconds. Set more than the interval of your runs.
   *
   * @default a third of the lifetime
   */
  readonly tokenRenewBefore?: number;
  /**
   * Epochs of the token. Each epoch has its own Secret and therefore its own token. Tokens of previous epochs stay valid while they are listed,
   * until they expire. They are not renewed.
   *
   * @default none
   */
  readonly rotation?: Rotation;
  /** Proves the token at the cluster's `host`. If false, it is proved at the kubeconfig's server. @default true */
  readonly proveHost?: boolean;
}

export const defaultServiceAccountName = "gateway-token-reviewer";

/** Names of the objects that a TokenReviewer creates under fixed names, except those in a namespace with a generated name. */
export function tokenReviewerNames(
  args: Pick<
    TokenReviewerArgs,
    "namespace" | "createNamespace" | "serviceAccountName" | "bindingName" | "tokenMode" | "rotation"
  >,
): ReservedName[] {
  const { namespace, createNamespace = true, serviceAccountName = defaultServiceAccountName, bindingName } = args;
  return [
    ...(namespace ? accountNames({ ...args, namespace, createNamespace, serviceAccountName }) : []),
    ...(bindingName ? [{ apiVersion: `${rbacGroup}/v1`, kind: "ClusterRoleBinding", name: bindingName }] : []),
  ];
}

/**
 * A ServiceAccount that may create TokenReviews, and its token, for a gateway outside the cluster.
 *
 * The token comes from a dedicated Secret, never from an auto-generated one: Kubernetes deletes those after a year without use
 * (KEP-2799). In mode `secret` it does not expire. A holder of the reviewer's token can learn whose another token is, if it has that token. It
 * can read no object, except those that `products` adds.
 *
 * The resource option `protect` protects everything but the token and its Secrets, which renewal and rotation replace.
 *
 * @example
 * const deployer = new Provider("cluster", { context: "prod" });
 * const cluster = new Cluster("cluster", {}, { provider: deployer });
 * const kubernetes = new k8s.Provider("cluster", { context: "prod", clusterIdentifier: cluster.uid });
 * const reviewer = new TokenReviewer("reviewer", { cluster }, { providers: [kubernetes, deployer] });
 * export const token = reviewer.token.token;
 */
export class TokenReviewer extends pulumi.ComponentResource {
  /** Namespace of the ServiceAccount. */
  readonly namespace: pulumi.Output<string>;
  /** The ServiceAccount. */
  readonly serviceAccount: k8s.core.v1.ServiceAccount;
  /** Binding of the ServiceAccount to its role. */
  readonly binding: k8s.rbac.v1.ClusterRoleBinding;
  /** The token Secrets of the ServiceAccount. */
  readonly secrets: TokenSecrets;
  /** The proved token. */
  readonly token: ReviewerToken;

  constructor(name: string, args: TokenReviewerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:TokenReviewer", name, inputsOf(args, "cluster"), labelled(opts));
    const child = { parent: this };
    const { serviceAccountName = defaultServiceAccountName, createNamespace = true } = args;
    this.namespace = componentNamespace(name, { ...args, createNamespace }, this);
    this.serviceAccount = new k8s.core.v1.ServiceAccount(name, accountArgs(serviceAccountName, this.namespace), child);
    const further = productRules(args.products, "token");
    const bindings = Object.entries(reviewerRoles(name, args.role, further, child)).map(([suffix, role]) =>
      this.#bind(`${name}${suffix}`, role, suffix === "" ? args.bindingName : undefined),
    );
    [this.binding] = bindings as [k8s.rbac.v1.ClusterRoleBinding];
    const naming = { ...args, serviceAccountName };
    this.secrets = tokenSecrets(name, this.serviceAccount, this.namespace, naming, child);
    this.token = new ReviewerToken(
      name,
      {
        ...accountTokenInputs(args.cluster, this),
        audience: args.audience,
        proveHost: args.proveHost,
        mode: args.tokenMode,
        expirationSeconds: args.tokenExpirationSeconds,
        renewBefore: args.tokenRenewBefore,
      },
      { ...child, dependsOn: bindings },
    );
    const { namespace, serviceAccount, binding, secrets, token } = this;
    this.registerOutputs({ namespace, serviceAccount, binding, secrets, token });
  }

  #bind(name: string, role: pulumi.Input<string>, bindingName?: string): k8s.rbac.v1.ClusterRoleBinding {
    const subject = serviceAccountSubject(this.serviceAccount.metadata.name, this.namespace);
    if (bindingName) return bindClusterRole(name, role, subject, { parent: this }, { name: bindingName });
    return bindClusterRole(name, role, subject, { ...replaceWithSubject, parent: this });
  }
}
