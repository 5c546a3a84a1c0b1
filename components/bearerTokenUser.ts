import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { kubeconfig } from "../gateways/kubeconfig.ts";
import type { Cluster, ReservedName } from "./cluster.ts";
import { inputsOf } from "./inputs.ts";
import { labelled } from "./labels.ts";
import { metadataOf } from "./metadata.ts";
import { componentNamespace } from "./namespace.ts";
import { bindClusterRole, clusterRoleRef, replaceWithSubject, serviceAccountSubject } from "./rbac/bindings.ts";
import { type PolicyRule, rbacGroup, roleRules, ruleProblems } from "./rbac/rules.ts";
import { defaultUserTokenMode, ReviewerToken, type TokenMode } from "./resources/reviewerToken.ts";
import {
  accountArgs,
  accountNames,
  accountTokenInputs,
  type TokenSecrets,
  tokenSecrets,
} from "./resources/tokenSecret.ts";
import type { Rotation } from "./rotation.ts";

export interface BearerTokenUserArgs {
  /** The checked cluster. The token is proved at its host. */
  readonly cluster: Cluster;
  /** Namespace of the ServiceAccount, and of its permissions if `scope` is `namespace`. */
  readonly namespace: pulumi.Input<string>;
  /** Creates the namespace. If false, it must exist. @default false */
  readonly createNamespace?: boolean;
  /** Name of the ServiceAccount. @default the component's name */
  readonly serviceAccountName?: string;
  /** Rules of a new Role, or of a new ClusterRole with `scope: cluster`. Set this or `clusterRole`. @default none */
  readonly rules?: readonly PolicyRule[];
  /** Name of an existing ClusterRole, such as `view`. Set this or `rules`. @default none */
  readonly clusterRole?: string;
  /** Where the permissions apply: in `namespace`, or in the whole cluster. @default "namespace" */
  readonly scope?: "namespace" | "cluster";
  /** Allows `*` in `rules`. @default false */
  readonly allowWildcards?: boolean;
  /**
   * Source of the token. `tokenRequest`: the token expires and is renewed by the next `pulumi up`. `secret`: the token of a token Secret,
   * which does not expire; the policy `token-secret-for-reviewers` rejects it.
   *
   * @default "tokenRequest"
   */
  readonly tokenMode?: TokenMode;
  /** Requested lifetime in mode `tokenRequest`, in seconds, at least 600. @default 2592000 (30 days) */
  readonly tokenExpirationSeconds?: number;
  /**
   * Time before expiry from which on `pulumi up` renews the token, in seconds. Set more than the interval of your runs.
   *
   * @default a third of the lifetime
   */
  readonly tokenRenewBefore?: number;
  /** Epochs of the token, as for a TokenReviewer. @default none */
  readonly rotation?: Rotation;
  /** Proves the token at the cluster's `host`. If false, it is proved at the kubeconfig's server. @default true */
  readonly proveHost?: boolean;
}

/** Names of the objects that a BearerTokenUser creates under fixed names. */
export function bearerTokenUserNames(
  name: string,
  user: Pick<BearerTokenUserArgs, "createNamespace" | "serviceAccountName" | "tokenMode" | "rotation"> & {
    readonly namespace: string;
  },
): ReservedName[] {
  const { createNamespace = false, serviceAccountName = name, tokenMode = defaultUserTokenMode } = user;
  return accountNames({ ...user, createNamespace, serviceAccountName, tokenMode });
}

/**
 * A ServiceAccount with a bearer token, permissions and a kubeconfig, for a program outside the cluster. People should log in through an
 * identity provider instead.
 *
 * @example
 * const rules = [{ resources: ["pods"], verbs: ["get", "list"] }] as const;
 * const reader = new BearerTokenUser("reader", { cluster, namespace: "shop", rules }, { providers: [kubernetes, deployer] });
 * export const kubeconfig = reader.kubeconfig;
 */
export class BearerTokenUser extends pulumi.ComponentResource {
  /** Namespace of the ServiceAccount. */
  readonly namespace: pulumi.Output<string>;
  /** The ServiceAccount. */
  readonly serviceAccount: k8s.core.v1.ServiceAccount;
  /** The token Secrets of the ServiceAccount. */
  readonly secrets: TokenSecrets;
  /** The proved token. */
  readonly token: ReviewerToken;
  /** Kubeconfig of this user, YAML: one context, with CA and token embedded. Secret. */
  readonly kubeconfig: pulumi.Output<string>;

  constructor(name: string, args: BearerTokenUserArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:BearerTokenUser", name, inputsOf(args, "cluster"), labelled(opts));
    this.#checkRules(args);
    const child = { parent: this };
    const { createNamespace = false, serviceAccountName = name, tokenMode = defaultUserTokenMode } = args;
    this.namespace = componentNamespace(name, { ...args, createNamespace }, this);
    this.serviceAccount = new k8s.core.v1.ServiceAccount(name, accountArgs(serviceAccountName, this.namespace), child);
    const binding = this.#bind(name, args, this.#role(name, args));
    const naming = { ...args, serviceAccountName, tokenMode };
    this.secrets = tokenSecrets(name, this.serviceAccount, this.namespace, naming, child);
    this.token = new ReviewerToken(
      name,
      {
        ...accountTokenInputs(args.cluster, this),
        proveHost: args.proveHost,
        mode: tokenMode,
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
            { user: serviceAccountName, cluster: pulumi.getStack(), namespace },
          ),
        ),
    );
    const { namespace, serviceAccount, secrets, token } = this;
    this.registerOutputs({ namespace, serviceAccount, secrets, token, kubeconfig: this.kubeconfig });
  }

  #checkRules({ rules, clusterRole, allowWildcards = false }: BearerTokenUserArgs): void {
    if ((rules === undefined) === (clusterRole === undefined)) {
      throw new pulumi.ResourceError("rules: set either rules or clusterRole.", this);
    }
    const problems = rules === undefined ? [] : ruleProblems(rules, allowWildcards);
    if (problems.length > 0) throw new pulumi.ResourceError(problems.map((text) => `rules${text}`).join("\n"), this);
  }

  #role(name: string, { rules, clusterRole = "", scope }: BearerTokenUserArgs): k8s.types.input.rbac.v1.RoleRef {
    if (rules === undefined) return clusterRoleRef(clusterRole);
    const child = { parent: this };
    const granted = { rules: roleRules(rules) };
    if (scope === "cluster") return clusterRoleRef(metadataOf(new k8s.rbac.v1.ClusterRole(name, granted, child)).name);
    const role = new k8s.rbac.v1.Role(name, { metadata: { namespace: this.namespace }, ...granted }, child);
    return { apiGroup: rbacGroup, kind: "Role", name: metadataOf(role).name };
  }

  #bind(name: string, { scope }: BearerTokenUserArgs, roleRef: k8s.types.input.rbac.v1.RoleRef): pulumi.Resource {
    const subject = serviceAccountSubject(this.serviceAccount.metadata.name, this.namespace);
    const opts = { ...replaceWithSubject, parent: this };
    if (scope === "cluster") return bindClusterRole(name, roleRef.name, subject, opts);
    const metadata = { namespace: this.namespace };
    return new k8s.rbac.v1.RoleBinding(name, { metadata, roleRef, subjects: [subject] }, opts);
  }
}
