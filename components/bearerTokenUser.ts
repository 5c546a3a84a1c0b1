import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { kubeconfig } from "../gateways/kubeconfig.ts";
import type { Cluster, ReservedName } from "./cluster.ts";
import { ReviewerToken, type TokenMode } from "./reviewerToken.ts";
import { type PolicyRule, ruleProblems } from "./rules.ts";
import { tokenSecret, tokenSecretName, uidOf } from "./tokenSecret.ts";

export interface BearerTokenUserArgs {
  /** The cluster, checked: the token is proved at its host. */
  readonly cluster: Cluster;
  readonly kubeconfig?: pulumi.Input<string>;
  readonly context?: pulumi.Input<string>;
  /** Where the ServiceAccount lives, and where its rights end if `scope` is `namespace`. */
  readonly namespace: pulumi.Input<string>;
  /** Makes the namespace; false takes one that exists. @default false */
  readonly createNamespace?: boolean;
  /** Name of the ServiceAccount. @default the component's name */
  readonly serviceAccountName?: string;
  /** What the user may do: a Role, or with `scope: cluster` a ClusterRole, of its own. Either this or `clusterRole`. */
  readonly rules?: readonly PolicyRule[];
  /** A ClusterRole that exists, such as `view`, by name. */
  readonly clusterRole?: string;
  /** Whether the rights end at the namespace. @default "namespace" */
  readonly scope?: "namespace" | "cluster";
  /** Accepts `*` in rules. @default false */
  readonly allowWildcards?: boolean;
  /** See TokenReviewer. @default "secret" */
  readonly tokenMode?: TokenMode;
  /** In seconds, at least 600. @default 2592000 (30 days) */
  readonly tokenExpirationSeconds?: number;
  /** In seconds. @default a third of the lifetime */
  readonly tokenRenewBefore?: number;
  /** @default true */
  readonly proveHost?: boolean;
}

const rbac = "rbac.authorization.k8s.io";

/** The objects that a BearerTokenUser makes under names that are not its own alone: they must be free. */
export function bearerTokenUserNames(
  name: string,
  user: Pick<BearerTokenUserArgs, "createNamespace" | "serviceAccountName" | "tokenMode"> & {
    readonly namespace: string;
  },
): ReservedName[] {
  const { namespace, createNamespace, serviceAccountName = name, tokenMode } = user;
  if (createNamespace) return [{ apiVersion: "v1", kind: "Namespace", name: namespace }];
  return [
    { apiVersion: "v1", kind: "ServiceAccount", namespace, name: serviceAccountName },
    { apiVersion: "v1", kind: "Secret", namespace, name: tokenSecretName(serviceAccountName, tokenMode) },
  ];
}

/**
 * A user of the cluster who comes with a bearer token and may do what rules say, and a kubeconfig for them: for programs,
 * not for people, who belong to an identity provider.
 */
export class BearerTokenUser extends pulumi.ComponentResource {
  readonly namespace: pulumi.Output<string>;
  readonly serviceAccount: k8s.core.v1.ServiceAccount;
  readonly token: ReviewerToken;
  /** For this user, its context current, with everything embedded. Secret. */
  readonly kubeconfig: pulumi.Output<string>;

  constructor(name: string, args: BearerTokenUserArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:BearerTokenUser", name, {}, opts);
    this.#refuseContradictions(args);
    const child = { parent: this };
    this.namespace = args.createNamespace
      ? new k8s.core.v1.Namespace(
          name,
          { metadata: { name: args.namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } } },
          child,
        ).metadata.name
      : pulumi.output(args.namespace);
    const accountName = args.serviceAccountName ?? name;
    const metadata = { name: accountName, namespace: this.namespace };
    this.serviceAccount = new k8s.core.v1.ServiceAccount(
      name,
      { metadata, automountServiceAccountToken: false },
      child,
    );
    const binding = this.#bind(name, args, this.#role(name, args));
    const secret = tokenSecret(name, this.serviceAccount, this.namespace, accountName, args.tokenMode, child);
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
        proveHost: args.proveHost,
        mode: args.tokenMode,
        expirationSeconds: args.tokenExpirationSeconds,
        renewBefore: args.tokenRenewBefore,
        proof: "self",
      },
      { ...child, dependsOn: [binding] },
    );
    this.kubeconfig = pulumi.secret(
      pulumi
        .all([args.cluster.host, args.cluster.caPem, this.token.token, this.namespace])
        .apply(([host, caPem, token, namespace]) =>
          kubeconfig(
            { host, caPem, token, issuer: "", audience: "" },
            { user: accountName, cluster: pulumi.getStack(), namespace },
          ),
        ),
    );
    this.registerOutputs({ namespace: this.namespace, subject: this.token.subject });
  }

  #refuseContradictions({ rules, clusterRole, allowWildcards = false }: BearerTokenUserArgs): void {
    if ((rules === undefined) === (clusterRole === undefined)) {
      throw new pulumi.ResourceError("rules: give either rules or clusterRole.", this);
    }
    const problems = rules === undefined ? [] : ruleProblems(rules, allowWildcards);
    if (problems.length > 0) throw new pulumi.ResourceError(problems.map((text) => `rules${text}`).join("\n"), this);
  }

  #role(name: string, { rules, clusterRole = "", scope }: BearerTokenUserArgs) {
    if (rules === undefined) return { apiGroup: rbac, kind: "ClusterRole", name: clusterRole };
    const granted = rules.map(({ apiGroups = [""], resources, verbs, resourceNames }) => ({
      apiGroups: [...apiGroups],
      resources: [...resources],
      verbs: [...verbs],
      ...(resourceNames?.length && { resourceNames: [...resourceNames] }),
    }));
    const child = { parent: this };
    if (scope === "cluster") {
      const { metadata } = new k8s.rbac.v1.ClusterRole(name, { rules: granted }, child);
      return { apiGroup: rbac, kind: "ClusterRole", name: metadata.name };
    }
    const args = { metadata: { namespace: this.namespace }, rules: granted };
    const { metadata } = new k8s.rbac.v1.Role(name, args, child);
    return { apiGroup: rbac, kind: "Role", name: metadata.name };
  }

  #bind(name: string, { scope }: BearerTokenUserArgs, roleRef: k8s.types.input.rbac.v1.RoleRef): pulumi.Resource {
    const { name: account } = this.serviceAccount.metadata;
    const subjects = [{ kind: "ServiceAccount", name: account, namespace: this.namespace }];
    // Another account gets another binding: the old one keeps its right until the new token is in place.
    const opts = { parent: this, replaceOnChanges: ["subjects"] };
    if (scope === "cluster") return new k8s.rbac.v1.ClusterRoleBinding(name, { roleRef, subjects }, opts);
    return new k8s.rbac.v1.RoleBinding(name, { metadata: { namespace: this.namespace }, roleRef, subjects }, opts);
  }
}
