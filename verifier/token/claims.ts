/** Checks the claims of a token, and reads its identity from them. Pure. */
import { Refusal } from "../errors.ts";
import type { ReviewedUser } from "../review/reviewedUser.ts";
import { type Identity, isLabel, isSubdomain, isUid, splitUsername } from "./identity.ts";

/** Requirements of one issuer's configuration. */
export interface ClaimRules {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly apiAudiences: readonly string[];
  readonly maxTokenLifetimeSeconds: number;
  readonly clockSkewSeconds: number;
}

type Claims = Readonly<Record<string, unknown>>;

/** The last second of the year 9999. */
const lastDate = 253_402_300_799;

/**
 * Checks the claims of a token that is verified locally (RFC 7519, section 4.1; RFC 8725, sections 3.8 and 3.9; KEP-1205).
 *
 * @param now seconds since 1970
 * @throws Refusal
 */
export function checkClaims(claims: Claims, rules: ClaimRules, now: number): Identity {
  if (claims.iss !== rules.issuer) throw new Refusal("unknown_issuer");
  const expiresAt = date(claims, "exp", true);
  const issuedAt = date(claims, "iat", true);
  const notBefore = date(claims, "nbf", false);
  checkDates(expiresAt, issuedAt, notBefore, rules, now);

  const audiences = audiencesOf(claims);
  if (audiences.length === 0) throw new Refusal("missing_claim");
  const audience = rules.audiences.find((wanted) => audiences.includes(wanted));
  if (audience === undefined) throw new Refusal("wrong_audience");
  if (audiences.some((one) => one === rules.issuer || rules.apiAudiences.includes(one)))
    throw new Refusal("api_audience");

  return { ...boundIdentity(claims), issuer: rules.issuer, audience, audiences, expiresAt, issuedAt };
}

/**
 * Checks the claims of a token before the API server reviews it. Claims other than `sub` can be missing, as in the token of a Secret. `exp` is
 * required if the lifetime is limited.
 *
 * @throws Refusal
 */
export function precheckClaims(claims: Claims, rules: Omit<ClaimRules, "issuer" | "apiAudiences">, now: number): void {
  const expiresAt = date(claims, "exp", false);
  checkDates(expiresAt, date(claims, "iat", false), date(claims, "nbf", false), rules, now);
  if (claims.aud !== undefined) {
    const audiences = audiencesOf(claims);
    if (!rules.audiences.some((wanted) => audiences.includes(wanted))) throw new Refusal("wrong_audience");
  }
  if (claims.sub === undefined) throw new Refusal("missing_claim");
  if (typeof claims.sub !== "string" || !splitUsername(claims.sub)) throw new Refusal("not_a_service_account");
}

function checkDates(
  expiresAt: number | undefined,
  issuedAt: number | undefined,
  notBefore: number | undefined,
  rules: Pick<ClaimRules, "maxTokenLifetimeSeconds" | "clockSkewSeconds">,
  now: number,
): void {
  const skew = rules.clockSkewSeconds;
  if (expiresAt !== undefined && now >= expiresAt + skew) throw new Refusal("expired");
  if ((notBefore ?? 0) > now + skew || (issuedAt ?? 0) > now + skew) throw new Refusal("not_yet_valid");
  if (expiresAt === undefined) {
    if (rules.maxTokenLifetimeSeconds > 0) throw new Refusal("missing_claim");
    return;
  }
  if (expiresAt <= (issuedAt ?? 0) || expiresAt <= (notBefore ?? 0)) throw new Refusal("malformed_claim");
  const limit = rules.maxTokenLifetimeSeconds;
  if (limit > 0 && expiresAt - (issuedAt ?? notBefore ?? 0) > limit) throw new Refusal("lifetime_too_long");
}

function date(claims: Claims, name: "exp" | "iat" | "nbf", required: true): number;
function date(claims: Claims, name: "exp" | "iat" | "nbf", required: boolean): number | undefined;
function date(claims: Claims, name: "exp" | "iat" | "nbf", required: boolean): number | undefined {
  const value = claims[name];
  if (value === undefined) {
    if (required) throw new Refusal("missing_claim");
    return undefined;
  }
  if (typeof value !== "number" || !(value > 0 && value <= lastDate)) throw new Refusal("malformed_claim");
  return value;
}

/** `aud` is a list, or a single audience without one (RFC 7519, section 4.1.3). */
function audiencesOf({ aud }: Claims): readonly string[] {
  if (aud === undefined) return [];
  const list = typeof aud === "string" ? [aud] : aud;
  const isList = Array.isArray(list) && list.length <= 64 && list.every((one) => typeof one === "string" && one !== "");
  if (!isList) throw new Refusal("malformed_claim");
  return list as string[];
}

type Bound = Omit<Identity, "issuer" | "audience" | "audiences" | "expiresAt" | "issuedAt">;

function boundIdentity(claims: Claims): Bound {
  const subject = claims.sub;
  if (subject === undefined) throw new Refusal("missing_claim");
  const account = typeof subject === "string" ? splitUsername(subject) : undefined;
  if (!account) throw new Refusal("not_a_service_account");

  const kubernetes = claims["kubernetes.io"];
  if (kubernetes === undefined) throw new Refusal("missing_claim");
  const { namespace, serviceaccount, pod, secret, node } = object(kubernetes);
  const { name, uid } = object(serviceaccount);
  if (namespace === undefined || name === undefined || uid === undefined) throw new Refusal("missing_claim");
  if (namespace !== account.namespace || name !== account.name) throw new Refusal("claims_disagree");
  if (!isLabel(namespace) || !isSubdomain(name) || !isUid(uid)) throw new Refusal("malformed_claim");

  const boundPod = reference(pod);
  const boundSecret = reference(secret);
  const boundNode = reference(node);
  const { jti } = claims;
  if (jti !== undefined && (typeof jti !== "string" || jti.length > 256)) throw new Refusal("malformed_claim");
  return {
    subject: subject as string,
    namespace,
    serviceAccountName: name,
    serviceAccountUid: uid,
    podName: boundPod?.name,
    podUid: boundPod?.uid,
    secretName: boundSecret?.name,
    secretUid: boundSecret?.uid,
    nodeName: boundNode?.name,
    nodeUid: boundNode?.uid,
    tokenId: jti,
  };
}

function object(value: unknown): Record<string, unknown> {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Refusal("malformed_claim");
  return value as Record<string, unknown>;
}

/** Name and UID of the object that the token is bound to. The UID of a node can be missing. */
function reference(value: unknown): { readonly name: string; readonly uid: string | undefined } | undefined {
  if (value === undefined || value === null) return undefined;
  const { name, uid } = object(value);
  if (!isSubdomain(name) || (uid !== undefined && !isUid(uid))) throw new Refusal("malformed_claim");
  return { name, uid: uid as string | undefined };
}

/**
 * Identity of a token that the API server reviewed. The review authenticates the whole token, so claims that the review does not repeat
 * come from the token. A claim of an unexpected form is omitted.
 */
export function identityOfReview(user: ReviewedUser, claims: Claims): Identity {
  const kubernetes = record(claims["kubernetes.io"]);
  const secret = record(kubernetes.secret);
  const legacySecret = claims["kubernetes.io/serviceaccount/secret.name"];
  const aud = typeof claims.aud === "string" ? [claims.aud] : claims.aud;
  return {
    subject: user.username,
    issuer: text(claims.iss) ?? "",
    audience: user.audiences[0] as string,
    audiences: Array.isArray(aud) ? (aud as string[]) : user.audiences,
    namespace: user.namespace,
    serviceAccountName: user.name,
    serviceAccountUid: user.uid,
    podName: user.podName,
    podUid: user.podUid,
    secretName: text(secret.name) ?? text(legacySecret),
    secretUid: text(secret.uid),
    nodeName: user.nodeName,
    nodeUid: user.nodeUid,
    tokenId: user.tokenId ?? text(claims.jti),
    expiresAt: typeof claims.exp === "number" ? claims.exp : undefined,
    issuedAt: typeof claims.iat === "number" ? claims.iat : undefined,
  };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** The value, if it is printable and short enough for a header. */
function text(value: unknown): string | undefined {
  return typeof value === "string" && /^[\x21-\x7e]{1,1024}$/.test(value) ? value : undefined;
}
