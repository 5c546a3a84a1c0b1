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
  namespace: { type: "string", required: true },
  serviceAccountName: { type: "string", required: true },
  serviceAccountUid: { type: "string", required: true },
  secretName: { type: "string", required: true },
  secretUid: { type: "string", required: true },
};

/** The server that proves the token. A change needs another proof. */
const target: Fields = {
  host: { type: "string", required: true },
  caPem: { type: "string", required: true },
};

/** The kind of the token. A change needs another token. */
const kindOfToken: Fields = {
  mode: { type: "string", default: "secret" },
  expirationSeconds: { type: "integer", default: defaultTokenLifetime },
};

const audience: Fields = {
  audience: { type: "string" },
};

export const reviewerInputs: Fields = {
  ...identity,
  ...target,
  ...audience,
  ...kindOfToken,
  renewBefore: { type: "integer" },
  proof: { type: "string", default: "tokenReview" },
  issuer: { type: "string", default: "" },
  proveHost: { type: "boolean", default: true },
};

export const reviewerOutputs: Fields = {
  ...identity,
  ...target,
  ...audience,
  kind: { type: "string" },
  token: { type: "string", secret: true },
  tokenSha256: { type: "string" },
  subject: { type: "string" },
  uid: { type: "string" },
  issuer: { type: "string" },
  issuerSource: { type: "string" },
  notBefore: { type: "string" },
  notAfter: { type: "string" },
  renewAfter: { type: "string" },
  audienceAcceptedByDefault: { type: "boolean" },
};
