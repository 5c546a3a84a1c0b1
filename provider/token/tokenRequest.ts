import type { KubeClient } from "../../kubernetes/client.ts";
import { KubeError } from "../../kubernetes/errors.ts";
import { claims } from "../../kubernetes/jwt.ts";
import { requestToken } from "../../kubernetes/reviews.ts";
import { renewalDate, rfc3339 } from "../lifetime.ts";
import { ProviderError } from "../protocol/errors.ts";
import type { Context } from "../protocol/resource.ts";
import type { TokenSecret } from "./tokenSecret.ts";

/** The longest lifetime that the API server accepts, in seconds. */
export const maxLifetime = 2 ** 32;

/** A token and its dates, RFC 3339; "" for a date that it does not have. */
export interface Credential {
  readonly kind: "Secret" | "TokenRequest";
  readonly token: string;
  readonly notBefore: string;
  readonly notAfter: string;
  /** Date from which an `up` replaces it. */
  readonly renewAfter: string;
}

/**
 * Requests a token that is bound to a Secret: the deletion of the Secret revokes it. Its dates come from the answer, since the API server may
 * choose a shorter lifetime.
 *
 * @throws ProviderError TOKEN_MAY_NOT_MINT, TOKEN_SECRET_MISSING, TOKEN_SECRET_OTHER, TOKEN_ACCOUNT_MISSING, TOKEN_PROJECTION_OFF
 * @see https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
 */
export async function boundToken(
  client: KubeClient,
  wanted: TokenSecret,
  life: { readonly expirationSeconds: number; readonly renewBefore?: number },
  context: Context,
): Promise<Credential> {
  const { namespace, serviceAccountName, secretName, secretUid } = wanted;
  const spec = {
    expirationSeconds: life.expirationSeconds,
    boundObjectRef: { apiVersion: "v1", kind: "Secret", name: secretName, uid: secretUid },
  };
  const { token, expiresAt } = await requestToken(client, namespace, serviceAccountName, spec).catch((error) => {
    throw requestError(error, wanted);
  });
  const found = claims(token);
  const end = earliest(expiresAt, millisecondsOf(found?.exp));
  if (end === undefined || token === "") {
    throw new ProviderError(
      "TOKEN_MALFORMED",
      `The API server answered the TokenRequest for ${namespace}/${serviceAccountName} without a token that expires.`,
      "Check that the address leads to an API server; or use Secret mode.",
    );
  }
  const start = millisecondsOf(found?.nbf) ?? millisecondsOf(found?.iat) ?? context.now();
  const credential = { kind: "TokenRequest", token, ...datesOf(start, end, life.renewBefore) } as const;
  warnToSchedule(credential, { ...life, lifeSeconds: (end - start) / 1000 }, wanted, context);
  return credential;
}

/** The latest time that a Date holds, in milliseconds. */
const maxDateMs = 8.64e15;

/** A NumericDate (RFC 7519) in milliseconds since the epoch. Undefined for other values. */
function millisecondsOf(claim: unknown): number | undefined {
  return typeof claim === "number" && claim >= 0 && claim * 1000 <= maxDateMs ? claim * 1000 : undefined;
}

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined && !Number.isNaN(time)) as number[];
  return known.length === 0 ? undefined : Math.min(...known);
}

/** Dates of a token that is valid from `start` to `end`, in milliseconds since the epoch. */
export function datesOf(start: number, end: number, renewBefore?: number): Omit<Credential, "kind" | "token"> {
  const life = { issuedAt: new Date(start), notAfter: new Date(end) };
  const renewAfter = renewalDate(life, renewBefore);
  return { notBefore: rfc3339(life.issuedAt), notAfter: rfc3339(life.notAfter), renewAfter: rfc3339(renewAfter) };
}

/** Warns that the token expires. */
function warnToSchedule(
  { notAfter, renewAfter }: Credential,
  asked: { readonly expirationSeconds: number; readonly renewBefore?: number; readonly lifeSeconds: number },
  { namespace, serviceAccountName }: TokenSecret,
  { log }: Context,
): void {
  const { expirationSeconds, renewBefore = 0, lifeSeconds } = asked;
  const whose = `The token of system:serviceaccount:${namespace}:${serviceAccountName}`;
  const shortened = lifeSeconds < expirationSeconds - 60;
  const less = shortened
    ? ` The API server chose a lifetime of ${Math.round(lifeSeconds)} s instead of the requested ${expirationSeconds} s.`
    : "";
  const early =
    renewBefore >= lifeSeconds
      ? ` It is renewed after two thirds of its lifetime: "renewBefore" (${renewBefore} s) is longer than the lifetime.`
      : "";
  log.warn(
    `${whose} expires on ${notAfter}. Only pulumi up renews it: schedule a run between ${renewAfter} and the expiry.${less}${early}`,
  );
}

function requestError(error: unknown, wanted: TokenSecret): unknown {
  const { namespace, serviceAccountName, secretName, secretUid } = wanted;
  if (!(error instanceof KubeError)) return error;
  const message = error.serverMessage ?? "";
  if (error.code === "KUBE_FORBIDDEN") {
    return new ProviderError(
      "TOKEN_MAY_NOT_MINT",
      `The deployer lacks the right create serviceaccounts/token "${serviceAccountName}" in namespace ${namespace}.`,
      "Grant it, or use Secret mode.",
    );
  }
  if (error.code === "KUBE_CONFLICT") {
    return new ProviderError(
      "TOKEN_SECRET_OTHER",
      `Secret ${namespace}/${secretName} is not this stack's: its UID is not ${secretUid}.`,
      "Run pulumi up --refresh.",
    );
  }
  if (error.code === "KUBE_NOT_FOUND" && message.includes(`serviceaccounts "${serviceAccountName}"`)) {
    return new ProviderError(
      "TOKEN_ACCOUNT_MISSING",
      `ServiceAccount ${namespace}/${serviceAccountName} was deleted, which revoked its tokens.`,
      "Run pulumi up --refresh: it creates it and its token again.",
    );
  }
  if (error.code === "KUBE_NOT_FOUND" && message.includes(`"${secretName}"`)) {
    return new ProviderError(
      "TOKEN_SECRET_MISSING",
      `Secret ${namespace}/${secretName} was deleted, which revoked every token that was bound to it.`,
      "Run pulumi up --refresh: it creates it again.",
    );
  }
  if (error.status === undefined || ["KUBE_UNAUTHORIZED", "KUBE_ANONYMOUS", "KUBE_DENIED"].includes(error.code))
    return error;
  return new ProviderError(
    "TOKEN_PROJECTION_OFF",
    `The API server cannot mint tokens (TokenRequest for ${namespace}/${serviceAccountName}: ${(message || error.message).replace(/\.$/, "")}).`,
    "Set the options of the API server for token request projection, or use Secret mode.",
  );
}
