import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster, ReservedName } from "./cluster.ts";
import { furtherRules, type Product } from "./products.ts";
import { reviewerRoles } from "./reviewerRole.ts";
import { ReviewerToken, type TokenMode } from "./reviewerToken.ts";
import type { ReviewerRole } from "./rights.ts";
import { tokenSecret, tokenSecretName, uidOf } from "./tokenSecret.ts";

export interface TokenReviewerArgs {
  /** The cluster, checked: the token is proved at its host. */
  readonly cluster: Cluster;
  /** Kubeconfig of whoever deploys, for the proof. @default KUBECONFIG, ~/.kube/config, or the pod's own account */
  readonly kubeconfig?: pulumi.Input<string>;
  /** @default the current context */
  readonly context?: pulumi.Input<string>;
  /** Namespace of the ServiceAccount. @default one that is made, with a name that is made up */
  readonly namespace?: string;
  /** Makes the namespace; false takes one that exists. @default true */
  readonly createNamespace?: boolean;
  /** The Secret is called like it, with `-token` or `-bound-token` behind. @default "gateway-token-reviewer" */
  readonly serviceAccountName?: string;
  /**
   * `tokenreviews`: a ClusterRole of its own that may create TokenReviews and nothing else. `auth-delegator`: the
   * cluster's `system:auth-delegator`, which may also ask what anybody is allowed to do (SubjectAccessReview).
   *
   * @default "tokenreviews"
   */
  readonly role?: ReviewerRole;
  /** Products with further needs: their rights are added. @default none */
  readonly products?: readonly Product[];
  /** Name of the ClusterRoleBinding. @default made up: other tools' guides all use the same one, and then break each other */
  readonly bindingName?: string;
  /** Audience of the tokens that workloads log in with. @default the API server's own */
  readonly audience?: string;
  /**
   * `secret`: the token of a token Secret, which does not expire. `tokenRequest`: a token with an end, which a plain `up`
   * renews: runs have to be scheduled. Both die with their Secret.
   *
   * @default "secret"
   */
  readonly tokenMode?: TokenMode;
  /** Lifetime asked for in mode `tokenRequest`, in seconds, at least 600; the API server may give less. @default 2592000 (30 days) */
  readonly tokenExpirationSeconds?: number;
  /** In seconds. @default a third of the lifetime */
  readonly tokenRenewBefore?: number;
  /** Proves the token at the cluster's host; false proves it at the kubeconfig's server. @default true */
  readonly proveHost?: boolean;
}

const defaultServiceAccountName = "gateway-token-reviewer";

type Names = Pick<
  TokenReviewerArgs,
  "namespace" | "createNamespace" | "serviceAccountName" | "bindingName" | "tokenMode"
>;

/** The objects that a TokenReviewer makes under names that are not its own alone: they must be free. */
export function tokenReviewerNames(args: Names): ReservedName[] {
  const { namespace, createNamespace = true, serviceAccountName = defaultServiceAccountName, bindingName } = args;
  const within = namespace && !createNamespace;
  return [
    ...(namespace && createNamespace ? [{ apiVersion: "v1", kind: "Namespace", name: namespace }] : []),
    ...(within ? [{ apiVersion: "v1", kind: "ServiceAccount", namespace, name: serviceAccountName }] : []),
    ...(within
      ? [{ apiVersion: "v1", kind: "Secret", namespace, name: tokenSecretName(serviceAccountName, args.tokenMode) }]
      : []),
    ...(bindingName
      ? [{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", name: bindingName }]
      : []),
  ];
}

/**
 * A ServiceAccount that may review other accounts' tokens, and a token of it for a gateway outside the cluster.
 *
 * The token comes from a Secret of its own, never from one that the cluster made for the account: those are cleaned up
 * when nobody has used them for a year (KEP-2799). It does not expire, unless `tokenMode` says so. Whoever has it can ask
 * about any token they hold, but can read no object.
 */
export class TokenReviewer extends pulumi.ComponentResource {
  readonly namespace: pulumi.Output<string>;
  readonly serviceAccount: k8s.core.v1.ServiceAccount;
  readonly binding: k8s.rbac.v1.ClusterRoleBinding;
  readonly token: ReviewerToken;

  constructor(name: string, args: TokenReviewerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:TokenReviewer", name, {}, opts);
    const child = { parent: this };
    this.namespace = this.#namespace(name, args);
    this.serviceAccount = new k8s.core.v1.ServiceAccount(
      name,
      {
        metadata: { name: args.serviceAccountName ?? defaultServiceAccountName, namespace: this.namespace },
        automountServiceAccountToken: false,
      },
      child,
    );
    const further = furtherRules(args.products, "token");
    const bindings = Object.entries(reviewerRoles(name, args.role, further, child)).map(([suffix, role]) =>
      this.#bind(`${name}${suffix}`, role, suffix === "" ? args.bindingName : undefined),
    );
    [this.binding] = bindings as [k8s.rbac.v1.ClusterRoleBinding];
    const secret = tokenSecret(
      name,
      this.serviceAccount,
      this.namespace,
      args.serviceAccountName ?? defaultServiceAccountName,
      args.tokenMode,
      child,
    );
    this.token = new ReviewerToken(
      name,
      {
        kubeconfig: args.kubeconfig,
        context: args.context,
        host: args.cluster.host,
        caPem: args.cluster.caPem,
        issuer: args.cluster.issuer,
        namespace: this.namespace,
        serviceAccountName: this.serviceAccount.metadata.name,
        serviceAccountUid: uidOf(this.serviceAccount),
        secretName: secret.metadata.name,
        secretUid: uidOf(secret),
        audience: args.audience,
        proveHost: args.proveHost,
        mode: args.tokenMode,
        expirationSeconds: args.tokenExpirationSeconds,
        renewBefore: args.tokenRenewBefore,
      },
      { ...child, dependsOn: bindings },
    );
    this.registerOutputs({ namespace: this.namespace, subject: this.token.subject });
  }

  #bind(name: string, role: pulumi.Input<string>, bindingName?: string): k8s.rbac.v1.ClusterRoleBinding {
    const { name: account } = this.serviceAccount.metadata;
    return new k8s.rbac.v1.ClusterRoleBinding(
      name,
      {
        metadata: bindingName ? { name: bindingName } : {},
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
        subjects: [{ kind: "ServiceAccount", name: account, namespace: this.namespace }],
      },
      // Another account gets another binding: the old one keeps its right until the new token is in place.
      bindingName ? { parent: this } : { parent: this, replaceOnChanges: ["subjects"] },
    );
  }

  #namespace(name: string, { namespace, createNamespace = true }: TokenReviewerArgs): pulumi.Output<string> {
    if (!createNamespace) {
      if (namespace) return pulumi.output(namespace);
      throw new pulumi.ResourceError(
        "namespace: name the namespace that exists, or let createNamespace be true.",
        this,
      );
    }
    const made = new k8s.core.v1.Namespace(
      name,
      {
        metadata: {
          ...(namespace && { name: namespace }),
          labels: { "pod-security.kubernetes.io/enforce": "restricted" },
        },
      },
      { parent: this },
    );
    return made.metadata.name;
  }
}
