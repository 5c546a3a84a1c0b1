import * as pulumi from "@pulumi/pulumi";

export interface RancherKeyArgs {
  /** Root URL of the Rancher server, `https://HOST`. */
  readonly server: pulumi.Input<string>;
  /** CA certificates of the Rancher server, PEM. They are not those of the cluster. @default public CAs */
  readonly caPem?: pulumi.Input<string>;
  /**
   * SHA-256 of the CA that the server presents: of the certificate, of its public key, or Rancher's checksum of `/v3/settings/cacerts`.
   * Hexadecimal or base64. It replaces `caPem`.
   *
   * @default none
   */
  readonly caPin?: pulumi.Input<string>;
  /** Bearer token of an API key, `NAME:SECRET`. Its user must be allowed to create TokenReviews in the cluster. Secret. */
  readonly apiKey: pulumi.Input<string>;
  /** Id of the cluster in Rancher. If the key has a scope, it must be this cluster. */
  readonly clusterId: pulumi.Input<string>;
  /** Expected identity of the cluster (`uid` of Cluster). @default not compared */
  readonly clusterUid?: pulumi.Input<string>;
  /** Allows a loopback address as `server`. @default false */
  readonly allowLoopback?: pulumi.Input<boolean>;
  /** Proves server, CA and key by a TokenReview from this machine. @default true */
  readonly proveHost?: pulumi.Input<boolean>;
}

/**
 * An API key of Rancher, with which a gateway reviews tokens of one cluster. It is proved by a TokenReview, and again at every `pulumi up`.
 * Rancher's keys expire, after 90 days by default, and are not renewed: see `notAfter`.
 *
 * @example
 * const apiKey = new pulumi.Config().requireSecret("rancherApiKey");
 * new RancherKey("rancher", { server: "https://rancher.example", apiKey, clusterId: "c-m-4xkq7wzp" }, { provider: deployer });
 */
export class RancherKey extends pulumi.CustomResource {
  /** Root URL of the Rancher server. */
  declare readonly server: pulumi.Output<string>;
  /** CA certificates of the Rancher server, PEM; "" for a public CA. */
  declare readonly caPem: pulumi.Output<string>;
  /** SHA-256 of the first CA certificate, hexadecimal with colons; "" for a public CA. */
  declare readonly caFingerprint: pulumi.Output<string>;
  /** Id of the cluster in Rancher. */
  declare readonly clusterId: pulumi.Output<string>;
  /** Name of the key: its part before the colon. Not secret. */
  declare readonly keyName: pulumi.Output<string>;
  /** SHA-256 of the key, hexadecimal. It changes with the key. */
  declare readonly keySha256: pulumi.Output<string>;
  /** Expiry, RFC 3339; "" if Rancher does not report it. */
  declare readonly notAfter: pulumi.Output<string>;
  /** The proved key. Secret. */
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
    // Consumers of the key wait for its proof.
    this.apiKey = pulumi.secret(pulumi.all([apiKey, this.keySha256]).apply(([key]) => key));
  }
}
