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
  host: { type: "string", required: true },
  caPem: { type: "string", required: true },
  proveHost: { type: "boolean", default: true },
  csrPem: { type: "string", required: true },
  privateKeyPem: { type: "string", secret: true },
  signerName: { type: "string", default: apiServerClientSigner },
  usages: { type: "strings" },
  expirationSeconds: { type: "integer", default: defaultCertificateLifetime },
  renewBefore: { type: "integer" },
  approval: { type: "string", default: "auto" },
  proof: { type: "string", default: "tokenReview" },
  timeoutSeconds: { type: "integer" },
};

export const certificateOutputs: Fields = {
  certificatePem: { type: "string" },
  notBefore: { type: "string" },
  notAfter: { type: "string" },
  // By the API server's clock.
  issuedAt: { type: "string" },
  renewAfter: { type: "string" },
  serial: { type: "string" },
  fingerprint: { type: "string" },
  commonName: { type: "string" },
  organizations: { type: "strings" },
  subject: { type: "string" },
  proved: { type: "boolean" },
  proofNote: { type: "string" },
  csrSha256: { type: "string" },
};
