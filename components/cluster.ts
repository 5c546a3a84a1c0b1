import * as pulumi from "@pulumi/pulumi";

/** A permission of the deployer, as in a SubjectAccessReview. */
export interface Right {
  readonly verb: string;
  /** API group. @default "", the core group */
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  /** @default the whole cluster */
  readonly namespace?: string;
  readonly name?: string;
  /** Path of the API server, instead of a resource. */
  readonly nonResourcePath?: string;
}

/** An object with a fixed name, which the stack creates or requires. */
export interface ReservedName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

/** Manifest of an object that is created under a fixed name, in a namespace. */
export interface PlannedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** A certificate signing request that the user supplies. */
export interface SuppliedRequest {
  /** PEM. */
  readonly csrPem: pulumi.Input<string>;
  /** Required common name of its subject. */
  readonly commonName: string;
  /** Private key of the request, PEM. Secret. @default not compared */
  readonly privateKeyPem?: pulumi.Input<string>;
}

export interface ClusterArgs {
  /** https URL at which the gateway reaches the API server. @default the kubeconfig's server */
  readonly host?: pulumi.Input<string>;
  /** CA certificates of `host`, PEM. @default those of the kubeconfig */
  readonly caPem?: pulumi.Input<string>;
  /**
   * SHA-256 of the CA that `host` presents: of the certificate, of its public key (kubeadm's `--discovery-token-ca-cert-hash`), or Rancher's
   * checksum of `/v3/settings/cacerts`. Hexadecimal or base64. It replaces `caPem`.
   *
   * @default none
   */
  readonly caPin?: pulumi.Input<string>;
  /** Trusts the CA that `host` presents at the first run, and compares it at later runs. Prefer `caPin`. @default false */
  readonly trustOnFirstUse?: pulumi.Input<boolean>;
  /** Allows a loopback address as `host`. @default false */
  readonly allowLoopback?: pulumi.Input<boolean>;
  /** Proves `host` and its CA by a TLS handshake from this machine. @default true */
  readonly proveHost?: pulumi.Input<boolean>;
  /** Products that require a CA, even a public one. The run fails if no CA of `host` is known. @default [] */
  readonly caRequiredBy?: readonly string[];
  /** Signers of the stack's certificates. The run fails if the cluster's distribution lacks one of them. @default [] */
  readonly signerNames?: readonly string[];
  /** Permissions that the deployer needs. The run fails with a list of the missing ones before it creates anything. @default [] */
  readonly rights?: readonly Right[];
  /** Objects that the stack creates under fixed names. The run fails if one of them exists. @default [] */
  readonly reservedNames?: readonly ReservedName[];
  /**
   * Supplied certificate signing requests. The run fails if one of them cannot be signed, before it creates anything. Secret.
   *
   * @default []
   */
  readonly certificateRequests?: readonly SuppliedRequest[];
  /** Objects that must exist. @default [] */
  readonly requiredObjects?: readonly ReservedName[];
  /**
   * Objects that the stack creates in namespaces that exist. The run fails if a dry run shows that a quota, an admission webhook or a policy
   * refuses one of them.
   *
   * @default []
   */
  readonly plannedObjects?: readonly PlannedObject[];
}

/**
 * The cluster of a stack, checked before anything is created in it: host, CA, issuer and keys of its ServiceAccount tokens, version, and the
 * deployer's permissions. Let the other resources depend on it, or on a Kubernetes provider whose `clusterIdentifier` is its `uid`.
 *
 * A stack belongs to one cluster: if the kubeconfig points to a different cluster, the run fails.
 *
 * @example
 * const deployer = new Provider("cluster", { context: "prod" });
 * const cluster = new Cluster("cluster", { host: "https://api.prod.example:6443" }, { provider: deployer });
 * export const issuer = cluster.issuer;
 */
export class Cluster extends pulumi.CustomResource {
  /** https URL at which the gateway reaches the API server. */
  declare readonly host: pulumi.Output<string>;
  /** CA certificates of `host`, PEM; "" if a public CA signed its certificate. */
  declare readonly caPem: pulumi.Output<string>;
  /** SHA-256 of the first CA certificate, hexadecimal with colons; "" without `caPem`. */
  declare readonly caFingerprint: pulumi.Output<string>;
  /** Source of `caPem`: `kubeconfig`, `given` (the argument), `pin` or `first use`. */
  declare readonly caSource: pulumi.Output<string>;
  /** Issuer of ServiceAccount tokens, from the discovery document; "" if it cannot be read. */
  declare readonly issuer: pulumi.Output<string>;
  /** Why `issuer` is empty; "" if it is not. */
  declare readonly issuerNote: pulumi.Output<string>;
  /** Public keys of the issuer, a JSON Web Key Set (RFC 7517) as JSON; "" if unknown. */
  declare readonly jwks: pulumi.Output<string>;
  /** Version of the API server (`v1.36.3`). */
  declare readonly version: pulumi.Output<string>;
  /** Product that serves the API: `EKS`, `k3s`, `Kubernetes` and others. */
  declare readonly distribution: pulumi.Output<string>;
  /** Identity of the cluster: the UID of its namespace `kube-system`. */
  declare readonly uid: pulumi.Output<string>;

  constructor(name: string, args: ClusterArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      "k8sauth:index:Cluster",
      name,
      {
        ...args,
        host: args.host,
        caPem: args.caPem,
        caFingerprint: undefined,
        caSource: undefined,
        issuer: undefined,
        issuerNote: undefined,
        jwks: undefined,
        version: undefined,
        distribution: undefined,
        uid: undefined,
      },
      opts,
    );
  }
}
