import { apiServerClientSigner } from "../../kubernetes/cluster/signers.ts";
import { defaultCertificateLifetime } from "../../kubernetes/lifetimes.ts";
import type { Fields } from "../protocol/fields.ts";
import type { State } from "../protocol/resource.ts";
import type { Proof } from "./certificateProof.ts";

export interface SignedCertificateInputs {
  readonly host: string;
  readonly caPem: string;
  readonly proveHost: boolean;
  readonly csrPem: string;
  readonly privateKeyPem?: string;
  readonly signerName: string;
  readonly usages?: readonly string[];
  readonly expirationSeconds: number;
  readonly renewBefore?: number;
  readonly approval: "auto" | "external";
  readonly proof: Proof;
  readonly timeoutSeconds?: number;
}

export interface SignedCertificateOutputs {
  readonly certificatePem: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly issuedAt: string;
  readonly renewAfter: string;
  readonly serial: string;
  readonly fingerprint: string;
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly subject: string;
  readonly proved: boolean;
  readonly proofNote: string;
  readonly csrSha256: string;
}

export type CertificateState = State<SignedCertificateInputs, SignedCertificateOutputs>;

export const certificateInputs: Fields = {
  host: { type: "string", required: true, description: "https URL at which the gateway reaches the API server." },
  caPem: { type: "string", required: true, description: 'CA certificates for that host, PEM; "" for a public CA.' },
  proveHost: {
    type: "boolean",
    default: true,
    description: "Proves the certificate at the gateway's host; false proves it at the deployer's server.",
  },
  csrPem: { type: "string", required: true, description: "Certification request (PKCS #10), PEM." },
  privateKeyPem: {
    type: "string",
    secret: true,
    description: "Private key of the request, PEM. It only serves the proof; without it the certificate is not proved.",
  },
  signerName: {
    type: "string",
    default: apiServerClientSigner,
    description: "Name of the signer.",
  },
  usages: {
    type: "strings",
    description:
      'Requested usages; by default "digital signature" and "client auth", for RSA keys "key encipherment" as well.',
  },
  expirationSeconds: {
    type: "integer",
    default: defaultCertificateLifetime,
    description: "Requested lifetime, in seconds, at least 600; the signer may choose another one.",
  },
  renewBefore: {
    type: "integer",
    description: "Renews this many seconds before the expiry; by default a third of the lifetime.",
  },
  approval: {
    type: "string",
    default: "auto",
    description:
      '"auto": the deployer approves the request. "external": the run waits for the approval of another user.',
  },
  proof: {
    type: "string",
    default: "tokenReview",
    description:
      '"tokenReview": the certificate\'s user must be able to create TokenReviews. "self": the API server must accept the certificate.',
  },
  timeoutSeconds: {
    type: "integer",
    description: "How long to wait for approval and certificate; by default 60, with external approval 300.",
  },
};

export const certificateOutputs: Fields = {
  certificatePem: { type: "string", description: "The certificate and the intermediate CAs from the signer, PEM." },
  notBefore: { type: "string", description: "Start of validity, RFC 3339." },
  notAfter: { type: "string", description: "End of validity, RFC 3339." },
  issuedAt: { type: "string", description: "When it was approved and signed, RFC 3339, by the API server's clock." },
  renewAfter: { type: "string", description: "Date from which an up renews it, RFC 3339." },
  serial: { type: "string", description: "Serial number, in hexadecimal." },
  fingerprint: { type: "string", description: "SHA-256 of the certificate's DER, in hexadecimal with colons." },
  commonName: { type: "string", description: "Common name: the user." },
  organizations: { type: "strings", description: "Organizations: the user's groups." },
  subject: { type: "string", description: 'Subject of the certificate as text ("O=example,CN=gateway").' },
  proved: { type: "boolean", description: "Whether a call with the certificate proved it." },
  proofNote: { type: "string", description: "Why no call proved it." },
  csrSha256: { type: "string", description: "SHA-256 of the request's DER, in hexadecimal." },
};
