import type { KubeClient } from "../../kubernetes/client.ts";
import { KubeError } from "../../kubernetes/errors.ts";
import { requestToken } from "../../kubernetes/reviews.ts";
import { ProviderError } from "../protocol/errors.ts";
import type { Context } from "../protocol/resource.ts";
import { claims } from "./tokenProof.ts";
import type { TokenSecret } from "./tokenSecret.ts";

/** The API server mints no token for more. */
export const maxLifetime = 2 ** 32;

/** A token, and when it is valid: RFC 3339, "" for one that has no such date. */
export interface Credential {
  readonly kind: "Secret" | "TokenRequest";
  readonly token: string;
  readonly notBefore: string;
  readonly notAfter: string;
  /** From then on an `up` makes another one. */
  readonly renewAfter: string;
}

/**
 * Mints a token that is bound to a Secret, and dies with it. What counts is the end that the API server answers: it may
 * give less than it was asked for.
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
  const end = earliest(expiresAt, secondsOf(found?.exp));
  if (end === undefined || token === "") {
    throw new ProviderError(
      "TOKEN_MALFORMED",
      `The API server answered the TokenRequest for ${namespace}/${serviceAccountName} without a token that ends.`,
      "Check that the address leads to an API server; or use Secret mode.",
    );
  }
  const start = secondsOf(found?.nbf) ?? secondsOf(found?.iat) ?? context.now();
  const credential = { kind: "TokenRequest", token, ...datesOf(start, end, life.renewBefore) } as const;
  warnOfExpiry(credential, { ...life, lifeSeconds: (end - start) / 1000 }, wanted, context);
  return credential;
}

/** The latest time that a Date holds, in milliseconds. */
const maxDateMs = 8.64e15;

/** A NumericDate in milliseconds; undefined for what is no date. */
function secondsOf(claim: unknown): number | undefined {
  return typeof claim === "number" && claim >= 0 && claim * 1000 <= maxDateMs ? claim * 1000 : undefined;
}

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined && !Number.isNaN(time)) as number[];
  return known.length === 0 ? undefined : Math.min(...known);
}

/** Renewal begins `renewBefore` seconds before the end; where that is more than the whole life, or not said, a third of it. */
export function datesOf(start: number, end: number, renewBefore?: number): Omit<Credential, "kind" | "token"> {
  const lifeMs = end - start;
  const asked = renewBefore === undefined ? undefined : renewBefore * 1000;
  const beforeMs = asked === undefined || asked >= lifeMs ? lifeMs / 3 : asked;
  const text = (time: number) => new Date(Math.floor(time / 1000) * 1000).toISOString().replace(".000Z", "Z");
  return { notBefore: text(start), notAfter: text(end), renewAfter: text(end - beforeMs) };
}

function warnOfExpiry(
  { notAfter, renewAfter }: Credential,
  asked: { readonly expirationSeconds: number; readonly renewBefore?: number; readonly lifeSeconds: number },
  { namespace, serviceAccountName }: TokenSecret,
  { log }: Context,
): void {
  const { expirationSeconds, renewBefore = 0, lifeSeconds } = asked;
  const whose = `The token of system:serviceaccount:${namespace}:${serviceAccountName}`;
  const shortened = lifeSeconds < expirationSeconds - 60;
  const less = shortened
    ? ` The API server gave ${Math.round(lifeSeconds)} s of the ${expirationSeconds} s asked for.`
    : "";
  const early =
    renewBefore >= lifeSeconds
      ? ` It is renewed a third of its life before the end: "renewBefore" (${renewBefore} s) is longer than that life.`
      : "";
  log.warn(
    `${whose} ends on ${notAfter}, and nothing renews it by itself: run up on a schedule, so that one comes between ${renewAfter} and then.${less}${early}`,
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
      `Secret ${namespace}/${secretName} is not the one that this stack made: its UID is not ${secretUid}.`,
      "Run refresh, then up.",
    );
  }
  if (error.code === "KUBE_NOT_FOUND" && message.includes(`serviceaccounts "${serviceAccountName}"`)) {
    return new ProviderError(
      "TOKEN_ACCOUNT_MISSING",
      `ServiceAccount ${namespace}/${serviceAccountName} is gone: its tokens died with it.`,
      "Run refresh, then up: that makes it and its token again.",
    );
  }
  if (error.code === "KUBE_NOT_FOUND" && message.includes(`"${secretName}"`)) {
    return new ProviderError(
      "TOKEN_SECRET_MISSING",
      `Secret ${namespace}/${secretName} is gone, and with it every token that was bound to it.`,
      "Run refresh, then up: that makes it again.",
    );
  }
  if (error.status === undefined || ["KUBE_UNAUTHORIZED", "KUBE_ANONYMOUS", "KUBE_DENIED"].includes(error.code))
    return error;
  return new ProviderError(
    "TOKEN_PROJECTION_OFF",
    `The API server cannot mint tokens (TokenRequest for ${namespace}/${serviceAccountName}: ${(message || error.message).replace(/\.$/, "")}).`,
    "Set the options of the API server that token request projection needs, or use Secret mode.",
  );
}
