import { createHash } from "node:crypto";
import { KubeClient } from "../../kubernetes/client.ts";
import { isKubeError } from "../../kubernetes/errors.ts";
import { claims } from "../../kubernetes/jwt.ts";
import { authenticatedUser, reviewToken } from "../../kubernetes/reviews.ts";
import {
  failUnlessOffline,
  isTlsError,
  quickTimeoutFor,
  quickTimeoutMs,
  rememberTimeout,
} from "../cluster/reachability.ts";
import { ProviderError } from "../protocol/errors.ts";
import type { Inputs } from "../protocol/fields.ts";
import type { Context } from "../protocol/resource.ts";
import type { ReviewerTokenInputs, ReviewerTokenOutputs, TokenState } from "./reviewerFields.ts";
import { checkProjection, mayNotReview, proveReviewer, proveSelf } from "./tokenProof.ts";
import type { Credential } from "./tokenRequest.ts";
import { invalidatedSince, invalidSince, type TokenSecret } from "./tokenSecret.ts";

/** The user name of a ServiceAccount. */
export function subjectOf(account: { readonly namespace: string; readonly serviceAccountName: string }): string {
  return `system:serviceaccount:${account.namespace}:${account.serviceAccountName}`;
}

/** Checks the subject of the token before a call with it. @throws ProviderError TOKEN_MALFORMED, TOKEN_SUBJECT_OTHER */
export function requireSubject({ kind, token }: Credential, inputs: ReviewerTokenInputs): void {
  const { namespace, serviceAccountName, secretName } = inputs;
  const [where, remedy] =
    kind === "Secret"
      ? [
          `Secret ${namespace}/${secretName}`,
          "Find what else writes to this Secret. Then delete the Secret, run pulumi up --refresh.",
        ]
      : [
          `The answer to a TokenRequest for ServiceAccount ${namespace}/${serviceAccountName}`,
          "Check that the address leads to an API server.",
        ];
  const found = claims(token);
  if (found === undefined)
    throw new ProviderError("TOKEN_MALFORMED", `${where} contains a token that is not a JWT.`, remedy);
  const subject = subjectOf(inputs);
  if (found.sub === subject) return;
  throw new ProviderError(
    "TOKEN_SUBJECT_OTHER",
    `${where} contains a token of ${JSON.stringify(found.sub)}, expected ${subject}.`,
    remedy,
  );
}

/** A client with the reviewer's token. */
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
 * Proves the token by calls with it, and returns the resource's outputs.
 *
 * @param minted a workload's token, which the reviewer reviews; undefined to skip this part
 * @throws ProviderError TOKEN_REFUSED, TOKEN_MAY_NOT_REVIEW, TOKEN_AUDIENCE_REFUSED; KubeError for a failed connection
 */
export async function proveToken(
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

/** Result of trying a stored token. */
export type Verdict = "alive" | "powerless" | "invalidated" | "dead" | "unsure";

/**
 * Tries the token of the state within 2 s at the server where the gateway uses it. It is dead if the server rejects it, and invalidated if a
 * label of its Secret is the reason. It is powerless if the server accepts it but it may not create TokenReviews.
 */
export async function probe(
  state: TokenState,
  inputs: Inputs<ReviewerTokenInputs>,
  context: Context,
): Promise<Verdict> {
  const { token, ...outputs } = state.outputs;
  if (token === undefined || outputs.host === undefined || inputs.unknown.has("host") || inputs.unknown.has("caPem"))
    return "unsure";
  const subject = subjectOf(outputs as ReviewerTokenOutputs);
  const untried = `The token of ${subject} was not tried.`;
  const { host = outputs.host, caPem = outputs.caPem ?? "", proof, proveHost } = inputs.known;
  let at = { host, caPem };
  if (proveHost === false) {
    try {
      const { server, caPem: deployersCa } = await context.deployer.connection(context);
      at = { host: server, caPem: deployersCa };
    } catch (error) {
      failUnlessOffline(untried, error, context);
      return "unsure";
    }
  }
  using reviewer = reviewerClient(at, token, context, quickTimeoutFor(at.host));
  try {
    if (proof === "self") {
      await authenticatedUser(reviewer);
      return "alive";
    }
    const result = await reviewToken(reviewer, token);
    if (result.authenticated) return "alive";
    return await refusalVerdict(state, "it no longer passes its own review", context);
  } catch (error) {
    if (isKubeError(error, "KUBE_UNAUTHORIZED"))
      return await refusalVerdict(state, "the API server no longer accepts it", context);
    if (isKubeError(error, "KUBE_FORBIDDEN")) {
      context.log.warn(mayNotReview(reviewer, subject).message);
      return "powerless";
    }
    rememberTimeout(at.host, error);
    // If the server has a new certificate, the resource Cluster finds its CA or fails.
    if (isTlsError(error)) context.log.warn(`${untried} ${error.message}`);
    else failUnlessOffline(untried, error, context);
    return "unsure";
  }
}

/** Distinguishes why a token is rejected, and logs it. */
async function refusalVerdict({ outputs }: TokenState, why: string, context: Context): Promise<"invalidated" | "dead"> {
  const secret = outputs as TokenSecret;
  const subject = subjectOf(secret);
  if (outputs.kind === "TokenRequest") {
    context.log.info(`The token of ${subject} is dead: ${why}.`);
    return "dead";
  }
  const since = await invalidationDate(secret, context);
  if (since === undefined) {
    context.log.warn(
      `The token of ${subject} is dead: ${why}. pulumi up --refresh creates a missing Secret again, and with it the same token. If the token has leaked, set another rotation.current before that, and remove its epoch from rotation.previous.`,
    );
    return "dead";
  }
  context.log.warn(
    `The token of ${subject} is refused: its Secret ${secret.namespace}/${secret.secretName} has the label ${invalidSince}: ${since}, which the cluster sets for tokens that are not used. An up removes the label.`,
  );
  return "invalidated";
}

/** The date of the label that invalidates a token. Undefined without the label, and if the deployer cannot read the Secret. */
async function invalidationDate(secret: TokenSecret, context: Context): Promise<string | undefined> {
  try {
    using client = await context.deployer.client(context, quickTimeoutMs);
    return await invalidatedSince(client, secret);
  } catch (error) {
    if (!isKubeError(error) || error.code === "KUBE_CANCELLED") throw error;
    context.log.debug(`Secret ${secret.namespace}/${secret.secretName} could not be read. ${error.message}`);
    return undefined;
  }
}
