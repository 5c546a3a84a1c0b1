import * as pulumi from "@pulumi/pulumi";

export interface RancherKeyArgs {
  /** Root URL of the Rancher server, `https://HOST`. */
  readonly server: pulumi.Input<string>;
  /** CA certificates of that server, PEM: Rancher's own, not the cluster's. @default the public ones */
  readonly caPem?: pulumi.Input<string>;
  /**
   * Takes that CA from the server itself, if it has this SHA-256: of the CA certificate, of its public key, or Rancher's checksum
   * of `/v3/settings/cacerts`. Instead of `caPem`.
   */
  readonly caPin?: pulumi.Input<string>;
  /** Bearer token of an API key, `NAME:SECRET`, of a user who may create TokenReviews in the cluster. Kept secret. */
  readonly apiKey: pulumi.Input<string>;
  /** The cluster's id in Rancher: the key's scope, where it has one. */
  readonly clusterId: pulumi.Input<string>;
  /** Identity of the cluster, which that behind Rancher must have. @default not compared */
  readonly clusterUid?: pulumi.Input<string>;
  /** Accepts a server that only this machine can reach. @default false */
  readonly allowLoopback?: pulumi.Input<boolean>;
  /** Tries server, CA and key by a review from here. @default true */
  readonly proveHost?: pulumi.Input<boolean>;
}

/**
 * An API key of Rancher, by which a gateway reviews the tokens of one cluster: proved by a review before anything is made of it,
 * and tried again by every `up`. Rancher lets keys expire, after some 90 days by default, and nothing renews them: `notAfter`
 * tells, where Rancher does.
 */
export class RancherKey extends pulumi.CustomResource {
  declare readonly server: pulumi.Output<string>;
  declare readonly caPem: pulumi.Output<string>;
  /** SHA-256 of the first CA certificate, hexadecimal with colons; "" for a public CA. */
  declare readonly caFingerprint: pulumi.Output<string>;
  declare readonly clusterId: pulumi.Output<string>;
  /** The part of the key before the colon, which is no secret. */
  declare readonly keyName: pulumi.Output<string>;
  /** SHA-256 of the key, hexadecimal: shows a change without showing the key. */
  declare readonly keySha256: pulumi.Output<string>;
  /** RFC 3339; "" where Rancher does not tell. */
  declare readonly notAfter: pulumi.Output<string>;
  /** The key that was proved. Secret. */
  readonly apiKey: pulumi.Output<string>;

  constructor(name: string, args: RancherKeyArgs, opts?: pulumi.CustomResourceOptions) {
    const outputs = {
      caFingerprint: undefined,
      caSource: undefined,
      keyName: undefined,
      keySha256: undefined,
      notAfter: undefined,
    };
    const apiKey = pulumi.secret(args.apiKey);
    super("k8sauth:index:RancherKey", name, { ...args, apiKey, caPem: args.caPem, ...outputs }, opts);
    // Whoever takes it waits for the proof.
    this.apiKey = pulumi.secret(pulumi.all([apiKey, this.keySha256]).apply(([key]) => key));
  }
}
