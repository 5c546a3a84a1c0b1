import { defaultTokenLifetime } from "../../kubernetes/lifetimes.ts";
import type { Fields } from "../protocol/fields.ts";
import type { State } from "../protocol/resource.ts";
import type { Credential } from "./tokenRequest.ts";
import type { TokenSecret } from "./tokenSecret.ts";

export interface ReviewerTokenInputs extends TokenSecret {
  readonly host: string;
  readonly caPem: string;
  readonly issuer: string;
  readonly audience?: string;
  readonly proveHost: boolean;
  readonly mode: "secret" | "tokenRequest";
  readonly expirationSeconds: number;
  readonly renewBefore?: number;
  readonly proof: "tokenReview" | "self";
}

export interface ReviewerTokenOutputs extends TokenSecret, Credential {
  readonly host: string;
  readonly caPem: string;
  readonly audience: string;
  readonly tokenSha256: string;
  readonly subject: string;
  readonly uid: string;
  readonly issuer: string;
  readonly issuerSource: "discovery" | "token" | "none";
  readonly audienceAcceptedByDefault: boolean;
}

export type TokenState = State<ReviewerTokenInputs, ReviewerTokenOutputs>;

/** The objects of the token. A change needs another token. */
const identity: Fields = {
  namespace: { type: "string", required: true, description: "Namespace of the service account and its Secret." },
  serviceAccountName: { type: "string", required: true, description: "Name of the service account." },
  serviceAccountUid: { type: "string", required: true, description: "UID of the service account." },
  secretName: { type: "string", required: true, description: "Name of this stack's token Secret." },
  secretUid: { type: "string", required: true, description: "UID of that Secret." },
};

/** The server that proves the token. A change needs another proof. */
const target: Fields = {
  host: { type: "string", required: true, description: "https URL at which the gateway reaches the API server." },
  caPem: { type: "string", required: true, description: 'CA certificates for that host, PEM; "" for a public CA.' },
};

/** The kind of the token. A change needs another token. */
const kindOfToken: Fields = {
  mode: {
    type: "string",
    default: "secret",
    description:
      '"secret": the token of a token Secret, which does not expire. "tokenRequest": a token that expires, bound to the Secret.',
  },
  expirationSeconds: {
    type: "integer",
    default: defaultTokenLifetime,
    description:
      "Requested lifetime in tokenRequest mode, in seconds, at least 600; the API server may choose a shorter one.",
  },
};

const audience: Fields = {
  audience: {
    type: "string",
    description: "Audience that workloads' tokens will have; by default the API server's own.",
  },
};

export const reviewerInputs: Fields = {
  ...identity,
  ...target,
  ...audience,
  ...kindOfToken,
  renewBefore: {
    type: "integer",
    description: "Renews a token this many seconds before its expiry; by default a third of its lifetime.",
  },
  proof: {
    type: "string",
    default: "tokenReview",
    description:
      '"tokenReview": the account must be able to create TokenReviews. "self": the API server must accept the token.',
  },
  issuer: {
    type: "string",
    default: "",
    description:
      'Issuer of workload tokens as discovery states it; "" reads it from a token that is requested for this purpose.',
  },
  proveHost: {
    type: "boolean",
    default: true,
    description: "Proves the token at the gateway's host; false proves it at the deployer's server.",
  },
};

export const reviewerOutputs: Fields = {
  ...identity,
  ...target,
  ...audience,
  kind: {
    type: "string",
    description: '"Secret": a token of a Secret, which does not expire. "TokenRequest": a token that expires.',
  },
  token: { type: "string", secret: true, description: "The reviewer's token, a JWT." },
  tokenSha256: { type: "string", description: "SHA-256 of the token, in hexadecimal." },
  subject: { type: "string", description: 'User name of the token ("system:serviceaccount:NAMESPACE:NAME").' },
  uid: { type: "string", description: "UID of the service account." },
  issuer: { type: "string", description: 'Issuer of workload tokens; "" if it is unknown.' },
  issuerSource: { type: "string", description: '"discovery", "token" (the claim iss of a requested token) or "none".' },
  notBefore: { type: "string", description: 'Start of validity, RFC 3339; "" for a token that has none.' },
  notAfter: { type: "string", description: 'End of validity, RFC 3339; "" for a token that does not expire.' },
  renewAfter: {
    type: "string",
    description: 'Date from which an up renews it, RFC 3339; "" for a token that does not expire.',
  },
  audienceAcceptedByDefault: {
    type: "boolean",
    description: "Whether a review that names no audience accepts a workload's token; false if it was not tried.",
  },
};
