import * as pulumi from "@pulumi/pulumi";
import { replaceable } from "./replaceable.ts";

export interface SignedCertificateArgs {
  /** https URL at which the gateway reaches the API server. The certificate is proved there. */
  readonly host: pulumi.Input<string>;
  /** CA certificates of `host`, PEM; "" for a public CA. */
  readonly caPem: pulumi.Input<string>;
  /** Proves the certificate at `host`. If false, it is proved at the kubeconfig's server. @default true */
  readonly proveHost?: pulumi.Input<boolean>;
  /** Certificate signing request, PEM. */
  readonly csrPem: pulumi.Input<string>;
  /** Private key of the request, PEM. Only the proof uses it. Secret. @default none: the certificate is not proved */
  readonly privateKeyPem?: pulumi.Input<string>;
  /** Signer of the request. @default "kubernetes.io/kube-apiserver-client" */
  readonly signerName?: pulumi.Input<string>;
  /** Key usages. @default `client auth`, `digital signature`, and `key encipherment` for RSA keys */
  readonly usages?: pulumi.Input<pulumi.Input<string>[]>;
  /** Requested lifetime, in seconds, at least 600. The signer may shorten it. @default 7776000 (90 days) */
  readonly expirationSeconds?: pulumi.Input<number>;
  /**
   * Time before expiry from which on `pulumi up` renews the certificate, in seconds. Set more than the interval of your runs.
   *
   * @default a third of the lifetime
   */
  readonly renewBefore?: pulumi.Input<number>;
  /** `auto`: the deployer approves the request. `external`: someone else approves it while `pulumi up` waits. @default "auto" */
  readonly approval?: pulumi.Input<"auto" | "external">;
  /** Proof. `tokenReview`: the certificate creates a TokenReview. `self`: the API server names its user. @default "tokenReview" */
  readonly proof?: pulumi.Input<"tokenReview" | "self">;
  /** Time to wait for approval and certificate, in seconds. @default 60 with `auto`, 300 with `external` */
  readonly timeoutSeconds?: pulumi.Input<number>;
}

/**
 * A client certificate that the cluster signs. The resource creates a CertificateSigningRequest, approves it, compares the certificate with
 * the request, proves it by a call to the API server, and deletes the request. `pulumi up` renews the certificate with the same key and
 * user name. Kubernetes cannot revoke certificates: the previous one stays valid until it expires.
 *
 * ClientCertificate creates it. Use it alone for a user that has its binding already.
 *
 * @example
 * const args = { host: cluster.host, caPem: cluster.caPem, csrPem: request.certRequestPem, privateKeyPem: key.privateKeyPem };
 * const certificate = new SignedCertificate("vault", args, { provider: deployer });
 * export const expiry = certificate.notAfter;
 */
export class SignedCertificate extends pulumi.CustomResource {
  /** The certificate and the chain that its signer appended, PEM. */
  declare readonly certificatePem: pulumi.Output<string>;
  /** User name: the common name of the certificate. */
  declare readonly commonName: pulumi.Output<string>;
  /** Groups: the organizations of the certificate. */
  declare readonly organizations: pulumi.Output<string[]>;
  /** Serial number, hexadecimal. */
  declare readonly serial: pulumi.Output<string>;
  /** SHA-256 of the certificate's DER, hexadecimal with colons. */
  declare readonly fingerprint: pulumi.Output<string>;
  /** Start of validity, RFC 3339. */
  declare readonly notBefore: pulumi.Output<string>;
  /** Expiry, RFC 3339. */
  declare readonly notAfter: pulumi.Output<string>;
  /** Time from which `pulumi up` renews the certificate, RFC 3339. */
  declare readonly renewAfter: pulumi.Output<string>;
  /** Whether it was proved by a call to the API server. */
  declare readonly proved: pulumi.Output<boolean>;
  /** Why it was not proved; "" if it was. */
  declare readonly proofNote: pulumi.Output<string>;

  constructor(name: string, args: SignedCertificateArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      "k8sauth:index:SignedCertificate",
      name,
      {
        ...args,
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
      { ...replaceable, ...opts },
    );
  }
}
