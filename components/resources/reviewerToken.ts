import * as pulumi from "@pulumi/pulumi";
import { replaceable } from "./replaceable.ts";

export interface ReviewerTokenArgs {
  /** https URL at which the gateway reaches the API server. The token is proved there. */
  readonly host: pulumi.Input<string>;
  /** CA certificates of `host`, PEM; "" for a public CA. */
  readonly caPem: pulumi.Input<string>;
  /** Issuer from the discovery document. If it is "", the issuer is read from a requested token. */
  readonly issuer: pulumi.Input<string>;
  /** Namespace of the ServiceAccount and the Secret. */
  readonly namespace: pulumi.Input<string>;
  /** Name of the ServiceAccount. */
  readonly serviceAccountName: pulumi.Input<string>;
  /** UID of the ServiceAccount. */
  readonly serviceAccountUid: pulumi.Input<string>;
  /** Name of the Secret that holds the token, or that the token is bound to. */
  readonly secretName: pulumi.Input<string>;
  /** UID of the Secret. */
  readonly secretUid: pulumi.Input<string>;
  /** Audience of the tokens that workloads log in with. @default the API server's own audience */
  readonly audience?: pulumi.Input<string>;
  /** Proves the token at `host`. If false, it is proved at the kubeconfig's server. @default true */
  readonly proveHost?: pulumi.Input<boolean>;
  /** Source of the token. `secret`: the token of a token Secret. `tokenRequest`: a token that expires, bound to the Secret. @default "secret" */
  readonly mode?: pulumi.Input<TokenMode>;
  /** Requested lifetime in mode `tokenRequest`, in seconds, at least 600. The API server may shorten it. @default 2592000 (30 days) */
  readonly expirationSeconds?: pulumi.Input<number>;
  /**
   * Time before expiry from which on `pulumi up` renews the token, in seconds. Set more than the interval of your runs.
   *
   * @default a third of the lifetime
   */
  readonly renewBefore?: pulumi.Input<number>;
  /** Proof. `tokenReview`: the token reviews itself. `self`: the API server names the user of the token. @default "tokenReview" */
  readonly proof?: pulumi.Input<"tokenReview" | "self">;
}

/** Sources of a token. */
export const tokenModes = ["secret", "tokenRequest"] as const;
export type TokenMode = (typeof tokenModes)[number];

/** Default of a BearerTokenUser. Its token expires, because its rules can allow anything. A reviewer's token can read no object. */
export const defaultUserTokenMode: TokenMode = "tokenRequest";

/**
 * The token of a ServiceAccount, from a token Secret or from a TokenRequest that is bound to a Secret. It is proved by a call to the API
 * server, and replaced if the API server no longer accepts it.
 *
 * The token of a Secret does not expire: it is valid until the Secret is deleted. A requested token expires, and only `pulumi up` renews it.
 * Deleting the Secret revokes both kinds. Renewal does not revoke the previous token.
 *
 * TokenReviewer and BearerTokenUser create it. Use it alone for a ServiceAccount and a Secret that exist.
 *
 * @example
 * const args = {
 *   host: cluster.host,
 *   caPem: cluster.caPem,
 *   issuer: cluster.issuer,
 *   namespace: "vault",
 *   serviceAccountName: "reviewer",
 *   serviceAccountUid: account.metadata.uid,
 *   secretName: "reviewer-token",
 *   secretUid: secret.metadata.uid,
 * };
 * const token = new ReviewerToken("reviewer", args, { provider: deployer });
 * export const subject = token.subject;
 */
export class ReviewerToken extends pulumi.CustomResource {
  /** The JWT. Secret. */
  declare readonly token: pulumi.Output<string>;
  /** SHA-256 of the token, hexadecimal. It changes with the token. */
  declare readonly tokenSha256: pulumi.Output<string>;
  /** Source of the token: `Secret` or `TokenRequest`. */
  declare readonly kind: pulumi.Output<string>;
  /** User name: `system:serviceaccount:NAMESPACE:NAME`. */
  declare readonly subject: pulumi.Output<string>;
  /** Issuer of workloads' tokens; "" if it is not known. */
  declare readonly issuer: pulumi.Output<string>;
  /** Source of `issuer`: `discovery`, `token` (claim `iss` of a requested token) or `none`. */
  declare readonly issuerSource: pulumi.Output<string>;
  /** Start of validity, RFC 3339; "" if the token has none. */
  declare readonly notBefore: pulumi.Output<string>;
  /** Expiry, RFC 3339; "" for a token that does not expire. */
  declare readonly notAfter: pulumi.Output<string>;
  /** Time from which `pulumi up` renews the token, RFC 3339; "" for a token that does not expire. */
  declare readonly renewAfter: pulumi.Output<string>;
  /** Whether a TokenReview without audiences accepts a workload's token. */
  declare readonly audienceAcceptedByDefault: pulumi.Output<boolean>;

  constructor(name: string, args: ReviewerTokenArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      "k8sauth:index:ReviewerToken",
      name,
      {
        ...args,
        token: undefined,
        tokenSha256: undefined,
        kind: undefined,
        subject: undefined,
        issuerSource: undefined,
        notBefore: undefined,
        notAfter: undefined,
        renewAfter: undefined,
        audienceAcceptedByDefault: undefined,
      },
      { ...replaceable, ...opts, additionalSecretOutputs: ["token"] },
    );
  }
}
