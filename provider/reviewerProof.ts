import { createHash } from "node:crypto";
import { KubeClient } from "../kube/client.ts";
import { loadConnection } from "../kube/config.ts";
import { isKubeError, isUnreachable } from "../kube/errors.ts";
import { glanceMsAt, noteSilence } from "./clients.ts";
import { ProviderError } from "./errors.ts";
import type { Context } from "./resource.ts";
import type { ReviewerTokenInputs, ReviewerTokenOutputs, TokenState } from "./reviewerToken.ts";
import { whoAmI } from "./selfReview.ts";
import { checkProjection, claims, mayNotReview, proveReviewer, proveSelf, review } from "./tokenProof.ts";
import type { Credential } from "./tokenRequest.ts";

/** The user name of a service account. */
export function subjectOf(account: { readonly namespace: string; readonly serviceAccountName: string }): string {
  return `system:serviceaccount:${account.namespace}:${account.serviceAccountName}`;
}

/** @throws ProviderError TOKEN_MALFORMED, TOKEN_SUBJECT_OTHER */
export function requireSubject(token: string, inputs: ReviewerTokenInputs): void {
  const where = `Secret ${inputs.namespace}/${inputs.secretName}`;
  const found = claims(token);
  if (found === undefined) {
    throw new ProviderError(
      "TOKEN_MALFORMED",
      `${where} holds something in data.token that is not a JWT.`,
      "Delete the Secret, run refresh, then up.",
    );
  }
  const subject = subjectOf(inputs);
  if (found.sub === subject) return;
  throw new ProviderError(
    "TOKEN_SUBJECT_OTHER",
    `${where} holds a token of ${JSON.stringify(found.sub)}, expected ${subject}.`,
    "Something else writes to this Secret: delete it, run refresh, then up.",
  );
}

/** Where the reviewer's token is tried: where the gateway will use it. */
function reviewerClient(
  at: { readonly host: string; readonly caPem: string },
  token: string,
  context: Context,
  timeoutMs?: number,
): KubeClient {
  const options = { signal: context.signal, timeoutMs };
  return KubeClient.direct({ server: at.host, caPem: at.caPem, token, label: "the reviewer token" }, options);
}

/**
 * Proves the token by calls that are made with it, and says what was found out.
 *
 * @throws ProviderError TOKEN_REFUSED, TOKEN_MAY_NOT_REVIEW, TOKEN_AUDIENCE_REFUSED; KubeError for the way to the server
 */
export async function proved(
  deployer: KubeClient,
  inputs: ReviewerTokenInputs,
  credential: Credential,
  minted: string | undefined,
  context: Context,
): Promise<ReviewerTokenOutputs> {
  const { server, caPem } = deployer.connection;
  const at = inputs.proveHost ? inputs : { host: server, caPem };
  const { token } = credential;
  using reviewer = reviewerClient(at, token, context);
  const projection = await provedProjection(reviewer, inputs, token, minted, context);
  const issuer = inputs.issuer || projection.issuer;
  return {
    ...credential,
    namespace: inputs.namespace,
    serviceAccountName: inputs.serviceAccountName,
    serviceAccountUid: inputs.serviceAccountUid,
    secretName: inputs.secretName,
    secretUid: inputs.secretUid,
    host: inputs.host,
    caPem: inputs.caPem,
    audience: inputs.audience ?? "",
    tokenSha256: createHash("sha256").update(token).digest("hex"),
    subject: subjectOf(inputs),
    uid: inputs.serviceAccountUid,
    issuer,
    issuerSource: inputs.issuer ? "discovery" : issuer ? "token" : "none",
    audienceAcceptedByDefault: projection.audienceAcceptedByDefault,
  };
}

async function provedProjection(
  reviewer: KubeClient,
  { proof, audience, ...account }: ReviewerTokenInputs,
  token: string,
  minted: string | undefined,
  context: Context,
) {
  if (proof === "self") {
    await proveSelf(reviewer, subjectOf(account), context);
    return { issuer: "", audienceAcceptedByDefault: false };
  }
  await proveReviewer(reviewer, token, subjectOf(account), context);
  return minted === undefined
    ? { issuer: "", audienceAcceptedByDefault: audience === undefined }
    : checkProjection(reviewer, minted, audience, context);
}

/**
 * Tries the token of the state, within 2 s. Only a refusal of the token itself is its death: a missing binding is
 * another resource's drift, and a server that cannot be reached says nothing.
 */
export async function probe(
  state: TokenState,
  inputs: Partial<ReviewerTokenInputs>,
  context: Context,
): Promise<"alive" | "dead" | "unsure"> {
  const { token, host, caPem = "" } = state.outputs;
  if (token === undefined || host === undefined) return "unsure";
  const subject = subjectOf(state.outputs as ReviewerTokenOutputs);
  let at = { host, caPem };
  if (inputs.proveHost === false) {
    try {
      const connection = await loadConnection(inputs, context.env);
      at = { host: connection.server, caPem: connection.caPem };
    } catch (error) {
      context.log.warn(`The token of ${subject} was not tried. ${(error as Error).message}`);
      return "unsure";
    }
  }
  using reviewer = reviewerClient(at, token, context, glanceMsAt(at.host));
  try {
    if (inputs.proof === "self") {
      await whoAmI(reviewer);
      return "alive";
    }
    const result = await review(reviewer, token);
    if (result.authenticated) return "alive";
    context.log.info(`The token of ${subject} is dead: it no longer passes its own review.`);
    return "dead";
  } catch (error) {
    if (isKubeError(error, "KUBE_UNAUTHORIZED")) {
      context.log.info(`The token of ${subject} is dead: the API server no longer accepts it.`);
      return "dead";
    }
    if (isKubeError(error, "KUBE_FORBIDDEN")) {
      context.log.warn(
        `${mayNotReview(reviewer, subject).message} Its binding is a resource of its own: run refresh, then up.`,
      );
      return "alive";
    }
    noteSilence(at.host, error);
    const why = isUnreachable(error) ? "The API server cannot be reached" : "The API server could not be asked";
    context.log.warn(`${why}: the token of ${subject} was not tried. ${(error as Error).message}`);
    return "unsure";
  }
}
