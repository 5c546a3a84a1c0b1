import * as pulumi from "@pulumi/pulumi";

export interface SignedCertificateArgs {
  /** Kubeconfig of whoever deploys: a path or the content. @default KUBECONFIG, ~/.kube/config, or the pod's own account */
  readonly kubeconfig?: pulumi.Input<string>;
  /** @default the current context */
  readonly context?: pulumi.Input<string>;
  /** https URL at which the gateway reaches the API server: the certificate is proved there. */
  readonly host: pulumi.Input<string>;
  readonly caPem: pulumi.Input<string>;
  /** Proves the certificate at `host`; false proves it at the kubeconfig's server. @default true */
  readonly proveHost?: pulumi.Input<boolean>;
  /** The request, PEM. */
  readonly csrPem: pulumi.Input<string>;
  /** The request's private key, PEM, for the proof alone. Without it the certificate is not proved. */
  readonly privateKeyPem?: pulumi.Input<string>;
  /** @default "kubernetes.io/kube-apiserver-client" */
  readonly signerName?: pulumi.Input<string>;
  /** @default client auth and digital signature, and key encipherment for RSA keys */
  readonly usages?: pulumi.Input<pulumi.Input<string>[]>;
  /** Lifetime asked for, in seconds; at least 600. The signer may shorten it. @default 7776000 (90 days) */
  readonly expirationSeconds?: pulumi.Input<number>;
  /** Renews this many seconds before the end. @default a third of the lifetime */
  readonly renewBefore?: pulumi.Input<number>;
  /** `auto`: approved here. `external`: somebody else approves while this waits, or before the next run. @default "auto" */
  readonly approval?: pulumi.Input<"auto" | "external">;
  /** `tokenReview` for a user who may create TokenReviews; `self` asks the API server who the certificate's user is. @default "tokenReview" */
  readonly proof?: pulumi.Input<"tokenReview" | "self">;
  /** How long to wait for approval and certificate, in seconds. */
  readonly timeoutSeconds?: pulumi.Input<number>;
}

/**
 * A certificate that the cluster signs: the request is posted, approved, collected, checked against what was asked for,
 * proved by a call, and deleted. A plain `up` renews it before it expires, with the same key and name; the old one stays
 * valid to its own end, for certificates can't be revoked.
 */
export class SignedCertificate extends pulumi.CustomResource {
  /** The certificate, and what its signer put behind it, PEM. */
  declare readonly certificatePem: pulumi.Output<string>;
  declare readonly commonName: pulumi.Output<string>;
  declare readonly organizations: pulumi.Output<string[]>;
  /** Hexadecimal. */
  declare readonly serial: pulumi.Output<string>;
  /** SHA-256 of the certificate's DER, hexadecimal with colons. */
  declare readonly fingerprint: pulumi.Output<string>;
  /** RFC 3339. */
  declare readonly notBefore: pulumi.Output<string>;
  declare readonly notAfter: pulumi.Output<string>;
  /** From then on `up` renews it. */
  declare readonly renewAfter: pulumi.Output<string>;
  /** Whether it was proved by a call. */
  declare readonly proved: pulumi.Output<boolean>;
  /** Why it was not. */
  declare readonly proofNote: pulumi.Output<string>;

  constructor(name: string, args: SignedCertificateArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      "k8sauth:index:SignedCertificate",
      name,
      {
        ...args,
        kubeconfig: args.kubeconfig === undefined ? undefined : pulumi.secret(args.kubeconfig),
        privateKeyPem: args.privateKeyPem === undefined ? undefined : pulumi.secret(args.privateKeyPem),
        certificatePem: undefined,
        commonName: undefined,
        organizations: undefined,
        serial: undefined,
        fingerprint: undefined,
        notBefore: undefined,
        notAfter: undefined,
        renewAfter: undefined,
        proved: undefined,
        proofNote: undefined,
      },
      opts,
    );
  }
}
