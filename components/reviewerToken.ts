import * as pulumi from "@pulumi/pulumi";

export interface ReviewerTokenArgs {
  /** Kubeconfig of whoever deploys: a path or the content. */
  readonly kubeconfig?: pulumi.Input<string>;
  readonly context?: pulumi.Input<string>;
  /** https URL at which the gateway reaches the API server: the token is proved there. */
  readonly host: pulumi.Input<string>;
  readonly caPem: pulumi.Input<string>;
  /** Issuer by discovery; "" takes it from a token that is minted for the purpose. */
  readonly issuer: pulumi.Input<string>;
  readonly namespace: pulumi.Input<string>;
  readonly serviceAccountName: pulumi.Input<string>;
  readonly serviceAccountUid: pulumi.Input<string>;
  readonly secretName: pulumi.Input<string>;
  readonly secretUid: pulumi.Input<string>;
  /** Audience of the tokens that workloads log in with. @default the API server's own */
  readonly audience?: pulumi.Input<string>;
  /** Proves the token at `host`; false proves it at the kubeconfig's server. @default true */
  readonly proveHost?: pulumi.Input<boolean>;
  /** `secret`: the token of a token Secret. `tokenRequest`: one with an end, bound to the Secret. @default "secret" */
  readonly mode?: pulumi.Input<TokenMode>;
  /** Lifetime asked for in mode `tokenRequest`, in seconds, at least 600; the API server may give less. @default 2592000 (30 days) */
  readonly expirationSeconds?: pulumi.Input<number>;
  /** Renews a token with an end so many seconds before it. @default a third of its life */
  readonly renewBefore?: pulumi.Input<number>;
  /** `tokenReview` for an account that may create TokenReviews; `self` asks the API server whose token it is. @default "tokenReview" */
  readonly proof?: pulumi.Input<"tokenReview" | "self">;
}

/** Where a token comes from. */
export const tokenModes = ["secret", "tokenRequest"] as const;
export type TokenMode = (typeof tokenModes)[number];

/**
 * The token of a service account: that of a token Secret, which is waited for, or one that is minted by a TokenRequest
 * and bound to a Secret. Proved by a call, and replaced once it is dead.
 *
 * That a Secret's token does not expire is its danger: whoever reads it keeps it until the Secret is deleted. A minted
 * one ends, and a plain `up` renews it before; nothing else does. Either dies with its Secret, and a renewal leaves the
 * one before valid to its own end.
 */
export class ReviewerToken extends pulumi.CustomResource {
  /** The JWT. Secret. */
  declare readonly token: pulumi.Output<string>;
  /** SHA-256 of the token, hexadecimal: shows a change without showing the token. */
  declare readonly tokenSha256: pulumi.Output<string>;
  declare readonly kind: pulumi.Output<string>;
  /** User name: `system:serviceaccount:NAMESPACE:NAME`. */
  declare readonly subject: pulumi.Output<string>;
  /** Issuer of workloads' tokens. */
  declare readonly issuer: pulumi.Output<string>;
  /** "discovery", "token" (the `iss` of a minted token) or "none". */
  declare readonly issuerSource: pulumi.Output<string>;
  /** RFC 3339; "" where the token has none. */
  declare readonly notBefore: pulumi.Output<string>;
  /** RFC 3339; "" for a token that does not expire. */
  declare readonly notAfter: pulumi.Output<string>;
  /** From then on `up` renews it, RFC 3339; "" for a token that does not expire. */
  declare readonly renewAfter: pulumi.Output<string>;
  /** Whether a review that names no audience accepts a workload's token. */
  declare readonly audienceAcceptedByDefault: pulumi.Output<boolean>;

  constructor(name: string, args: ReviewerTokenArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      "k8sauth:index:ReviewerToken",
      name,
      {
        ...args,
        kubeconfig: args.kubeconfig === undefined ? undefined : pulumi.secret(args.kubeconfig),
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
      { ...opts, additionalSecretOutputs: ["token"] },
    );
  }
}
