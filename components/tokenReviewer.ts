import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster, ReservedName } from "./cluster.ts";
import { reviewerRole } from "./reviewerRole.ts";
import { ReviewerToken } from "./reviewerToken.ts";
import type { ReviewerRole } from "./rights.ts";

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
  /** The Secret is called like it, with `-token` behind: another account gets another Secret. @default "gateway-token-reviewer" */
  readonly serviceAccountName?: string;
  /**
   * `tokenreviews`: a ClusterRole of its own that may create TokenReviews and nothing else. `auth-delegator`: the
   * cluster's `system:auth-delegator`, which may also ask what anybody is allowed to do (SubjectAccessReview).
   *
   * @default "tokenreviews"
   */
  readonly role?: ReviewerRole;
  /** Name of the ClusterRoleBinding. @default made up: other tools' guides all use the same one, and then break each other */
  readonly bindingName?: string;
  /** Audience of the tokens that workloads log in with. @default the API server's own */
  readonly audience?: string;
  /** Proves the token at the cluster's host; false proves it at the kubeconfig's server. @default true */
  readonly proveHost?: boolean;
}

const defaultServiceAccountName = "gateway-token-reviewer";

function tokenSecretName(serviceAccountName = defaultServiceAccountName): string {
  return `${serviceAccountName}-token`;
}

/** The objects that a TokenReviewer makes under names that are not its own alone: they must be free. */
export function tokenReviewerNames(args: Omit<TokenReviewerArgs, "cluster">): ReservedName[] {
  const { namespace, createNamespace = true, serviceAccountName = defaultServiceAccountName, bindingName } = args;
  const within = namespace && !createNamespace;
  return [
    ...(namespace && createNamespace ? [{ apiVersion: "v1", kind: "Namespace", name: namespace }] : []),
    ...(within ? [{ apiVersion: "v1", kind: "ServiceAccount", namespace, name: serviceAccountName }] : []),
    ...(within ? [{ apiVersion: "v1", kind: "Secret", namespace, name: tokenSecretName(serviceAccountName) }] : []),
    ...(bindingName
      ? [{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", name: bindingName }]
      : []),
  ];
}

/**
 * A ServiceAccount that may review other accounts' tokens, and a token of it for a gateway outside the cluster.
 *
 * The token comes from a Secret of its own, never from one that the cluster made for the account: those are cleaned up
 * when nobody has used them for a year (KEP-2799). It does not expire. Whoever has it can ask about any token they hold,
 * but can read no object.
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
    this.binding = new k8s.rbac.v1.ClusterRoleBinding(
      name,
      {
        metadata: args.bindingName ? { name: args.bindingName } : {},
        roleRef: {
          apiGroup: "rbac.authorization.k8s.io",
          kind: "ClusterRole",
          name: reviewerRole(name, args.role, child),
        },
        subjects: [{ kind: "ServiceAccount", name: this.serviceAccount.metadata.name, namespace: this.namespace }],
      },
      // Another account gets another binding: the old one keeps its right until the new token is in place.
      args.bindingName ? child : { ...child, replaceOnChanges: ["subjects"] },
    );
    const secret = new k8s.core.v1.Secret(
      name,
      {
        metadata: {
          name: tokenSecretName(args.serviceAccountName),
          namespace: this.namespace,
          annotations: {
            "kubernetes.io/service-account.name": this.serviceAccount.metadata.name,
            // ReviewerToken waits for the token, longer and with better reasons.
            "pulumi.com/skipAwait": "true",
          },
        },
        type: "kubernetes.io/service-account-token",
      },
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
      },
      { ...child, dependsOn: [this.binding] },
    );
    this.registerOutputs({ namespace: this.namespace, subject: this.token.subject });
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

/** The UID that the API server gave an object; unknown, like its id, for as long as the object is not there. */
function uidOf(
  resource: pulumi.CustomResource & { readonly metadata: pulumi.Output<{ uid: string }> },
): pulumi.Output<string> {
  return pulumi.all([resource.id, resource.metadata]).apply(([, metadata]) => metadata.uid);
}
