import * as pulumi from "@pulumi/pulumi";
import type { Right } from "./rights.ts";

/** An object with a fixed name: one that will be made, or one that must be there. */
export interface ReservedName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

/** A certificate request of the user's own. */
export interface BroughtRequest {
  /** PEM. */
  readonly csrPem: pulumi.Input<string>;
  /** The common name that its subject must have. */
  readonly commonName: string;
  /** Its private key, PEM: it must be the one that the request was made with. @default not compared */
  readonly privateKeyPem?: pulumi.Input<string>;
}

export interface ClusterArgs {
  /** Kubeconfig of whoever deploys: a path or the content. @default KUBECONFIG, ~/.kube/config, or the pod's own account */
  readonly kubeconfig?: pulumi.Input<string>;
  /** @default the current context */
  readonly context?: pulumi.Input<string>;
  /** https URL at which the gateway reaches the API server. @default the kubeconfig's server */
  readonly host?: pulumi.Input<string>;
  /** CA certificates for `host`, PEM. @default those of the kubeconfig */
  readonly caPem?: pulumi.Input<string>;
  /**
   * Takes the CA from `host` itself, if it has this SHA-256: of the CA certificate, of its public key (as kubeadm pins it), or
   * Rancher's checksum of `/v3/settings/cacerts`. Hexadecimal or base64. Instead of `caPem`.
   */
  readonly caPin?: pulumi.Input<string>;
  /** Takes the CA from `host` itself unseen the first time, and compares it ever after. Prefer `caPin`. @default false */
  readonly trustOnFirstUse?: pulumi.Input<boolean>;
  /** Accepts a host that only this machine can reach. @default false */
  readonly allowLoopback?: pulumi.Input<boolean>;
  /** Tries `host` with the CA by a TLS handshake from here. @default true */
  readonly proveHost?: pulumi.Input<boolean>;
  /** What the deployer is going to need; all that is missing is named before anything is made. */
  readonly rights?: readonly Right[];
  /** Objects that will be made under fixed names, which must be free. */
  readonly reservedNames?: readonly ReservedName[];
  /** Requests that were brought and will be signed: what makes one unfit is said before anything is made. */
  readonly certificateRequests?: readonly BroughtRequest[];
  /** Objects that others make, and that must be there before anything is made. */
  readonly requiredObjects?: readonly ReservedName[];
}

/**
 * The cluster of a stack, found and checked before anything is made in it: host, CA, issuer and keys of its service
 * account tokens, version, the deployer's rights. Depend on it (or on a provider that is configured from it) and
 * nothing is created that a look at the cluster could have refused.
 */
export class Cluster extends pulumi.CustomResource {
  declare readonly host: pulumi.Output<string>;
  declare readonly caPem: pulumi.Output<string>;
  /** SHA-256 of the first CA certificate, hexadecimal with colons. */
  declare readonly caFingerprint: pulumi.Output<string>;
  /** `kubeconfig`, `given`, `pin` or `first use`. */
  declare readonly caSource: pulumi.Output<string>;
  /** Issuer by the API server's discovery document; "" where it does not tell. */
  declare readonly issuer: pulumi.Output<string>;
  /** Why `issuer` is empty. */
  declare readonly issuerNote: pulumi.Output<string>;
  /** The issuer's public keys, a JSON Web Key Set as JSON; "" where unknown. */
  declare readonly jwks: pulumi.Output<string>;
  declare readonly version: pulumi.Output<string>;
  declare readonly distribution: pulumi.Output<string>;
  /** What identifies the cluster for good: the UID of its namespace kube-system. */
  declare readonly uid: pulumi.Output<string>;

  constructor(name: string, args: ClusterArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      "k8sauth:index:Cluster",
      name,
      {
        ...args,
        kubeconfig: args.kubeconfig === undefined ? undefined : pulumi.secret(args.kubeconfig),
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
