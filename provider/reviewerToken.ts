import { createHash } from "node:crypto";
import { KubeClient } from "../kube/client.ts";
import { loadConnection } from "../kube/config.ts";
import { isKubeError, isUnreachable } from "../kube/errors.ts";
import { type Deployer, deployerClient, glanceMs } from "./clients.ts";
import { ProviderError } from "./errors.ts";
import type { CheckFailure } from "./fields.ts";
import type { Context, Resource, State } from "./resource.ts";
import { reviewerInputs, reviewerOutputs } from "./reviewerFields.ts";
import { checkProjection, claims, mayNotReview, mint, proveReviewer, review } from "./tokenProof.ts";
import { awaitToken, type TokenSecret } from "./tokenSecret.ts";

export interface ReviewerTokenInputs extends Deployer, TokenSecret {
  readonly host: string;
  readonly caPem: string;
  readonly issuer: string;
  readonly audience?: string;
  readonly proveHost: boolean;
}

export interface ReviewerTokenOutputs extends TokenSecret {
  readonly host: string;
  readonly caPem: string;
  readonly audience: string;
  readonly kind: "Secret";
  readonly token: string;
  readonly tokenSha256: string;
  readonly subject: string;
  readonly uid: string;
  readonly issuer: string;
  readonly issuerSource: "discovery" | "token" | "none";
  readonly notBefore: string;
  readonly notAfter: string;
  readonly audienceAcceptedByDefault: boolean;
}

type TokenState = State<ReviewerTokenInputs, ReviewerTokenOutputs>;

const identity = ["namespace", "serviceAccountName", "serviceAccountUid", "secretName", "secretUid"] as const;
const proof = ["host", "caPem", "issuer", "audience"] as const;

/** The token of the account that reviews workloads' tokens: waited for, and proved by a review of itself. */
export const reviewerToken: Resource<ReviewerTokenInputs, ReviewerTokenOutputs> = {
  type: "k8sauth:index:ReviewerToken",
  description: "The token of a reviewer's service account, proved by real calls.",
  inputs: reviewerInputs,
  outputs: reviewerOutputs,

  check({ known }) {
    const failures: CheckFailure[] = [];
    for (const name of ["namespace", "serviceAccountName", "secretName"] as const) {
      const value = known[name];
      const limit = name === "namespace" ? 63 : 253;
      if (value !== undefined && !(value.length <= limit && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(value))) {
        failures.push({
          property: name,
          reason: `"${name}" is ${JSON.stringify(value)}; expected lower-case letters, digits, "-" and ".", at most ${limit}.`,
        });
      }
    }
    if (known.audience === "")
      failures.push({ property: "audience", reason: '"audience" is empty; leave it out for the default.' });
    return failures;
  },

  async create(inputs, context) {
    using client = await deployerClient(inputs, context);
    // The minted token needs only the account, which is there: both at once, and one failure ends the other.
    const other = new AbortController();
    const both = { ...context, signal: AbortSignal.any([context.signal, other.signal]) };
    const [token, minted] = await Promise.all([
      awaitToken(client, inputs, both),
      mint(client, inputs, inputs.audience, both),
    ]).finally(() => other.abort());
    requireSubject(token, inputs);
    const outputs = await proved(client, inputs, token, minted, context);
    return { id: `${inputs.namespace}/${inputs.secretName}`, outputs };
  },

  async previewCreate({ known, unknown }) {
    const outputs: Partial<ReviewerTokenOutputs> = { ...echo(known, unknown), ...constants };
    return { outputs };
  },

  async diff(state, inputs, context) {
    const changes: Record<string, "update" | "replace"> = {};
    const changed = (name: (typeof identity)[number] | (typeof proof)[number]) =>
      inputs.unknown.has(name) || (inputs.known[name] ?? "") !== (state.inputs[name] ?? "");
    for (const name of proof) if (changed(name)) changes[name] = "update";
    for (const name of identity) if (changed(name)) changes[name] = "replace";
    if (Object.values(changes).includes("replace")) return changes;
    if ((await probe(state, inputs.known, context)) === "dead") changes.token = "replace";
    return changes;
  },

  async previewUpdate(state, { known, unknown }) {
    const same = (name: "audience" | "issuer") =>
      !unknown.has(name) && (known[name] ?? "") === (state.inputs[name] ?? "");
    const { issuer, issuerSource, audienceAcceptedByDefault, ...kept } = state.outputs;
    const outputs: Partial<ReviewerTokenOutputs> = {
      ...kept,
      ...echo(known, unknown),
      ...(same("audience") ? { audienceAcceptedByDefault } : {}),
      ...(same("issuer")
        ? { issuer, issuerSource }
        : known.issuer
          ? { issuer: known.issuer, issuerSource: "discovery" }
          : {}),
    };
    for (const name of [...identity, "host", "caPem"] as const)
      if (unknown.has(name)) delete (outputs as Record<string, unknown>)[name];
    return { id: state.id, outputs };
  },

  async update(state, inputs, context) {
    using client = await deployerClient(inputs, context);
    const token = state.outputs.token ?? "";
    return proved(client, inputs, token, await mint(client, inputs, inputs.audience, context), context);
  },

  async read(state, context) {
    if (state.outputs.token === undefined) {
      throw new ProviderError(
        "TOKEN_MALFORMED",
        "A ReviewerToken cannot be imported: its token is taken from the cluster by create.",
        "Declare it in the program and run up.",
      );
    }
    return (await probe(state, state.inputs, context)) === "dead"
      ? undefined
      : { id: state.id, outputs: state.outputs };
  },
};

const constants = { kind: "Secret", notBefore: "", notAfter: "" } as const;

function echo(known: Partial<ReviewerTokenInputs>, unknown: ReadonlySet<string>): Partial<ReviewerTokenOutputs> {
  const { namespace, serviceAccountName, serviceAccountUid, secretName, secretUid, host, caPem } = known;
  const audience = unknown.has("audience") ? undefined : (known.audience ?? "");
  const subject = namespace && serviceAccountName ? subjectOf({ namespace, serviceAccountName }) : undefined;
  const uid = serviceAccountUid;
  return {
    namespace,
    serviceAccountName,
    serviceAccountUid,
    secretName,
    secretUid,
    host,
    caPem,
    audience,
    subject,
    uid,
  };
}

function subjectOf(account: { readonly namespace: string; readonly serviceAccountName: string }): string {
  return `system:serviceaccount:${account.namespace}:${account.serviceAccountName}`;
}

function requireSubject(token: string, inputs: ReviewerTokenInputs): void {
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

async function proved(
  deployer: KubeClient,
  inputs: ReviewerTokenInputs,
  token: string,
  minted: string | undefined,
  context: Context,
): Promise<ReviewerTokenOutputs> {
  const { server, caPem } = deployer.connection;
  const at = inputs.proveHost ? inputs : { host: server, caPem };
  using reviewer = reviewerClient(at, token, context);
  await proveReviewer(reviewer, token, subjectOf(inputs), context);
  const projection =
    minted === undefined
      ? { issuer: "", audienceAcceptedByDefault: inputs.audience === undefined }
      : await checkProjection(reviewer, minted, inputs.audience, context);
  const issuer = inputs.issuer || projection.issuer;
  return {
    ...constants,
    namespace: inputs.namespace,
    serviceAccountName: inputs.serviceAccountName,
    serviceAccountUid: inputs.serviceAccountUid,
    secretName: inputs.secretName,
    secretUid: inputs.secretUid,
    host: inputs.host,
    caPem: inputs.caPem,
    audience: inputs.audience ?? "",
    token,
    tokenSha256: createHash("sha256").update(token).digest("hex"),
    subject: subjectOf(inputs),
    uid: inputs.serviceAccountUid,
    issuer,
    issuerSource: inputs.issuer ? "discovery" : issuer ? "token" : "none",
    audienceAcceptedByDefault: projection.audienceAcceptedByDefault,
  };
}

/**
 * Tries the token of the state, within 2 s. Only a refusal of the token itself is its death: a missing binding is
 * another resource's drift, and a server that cannot be reached says nothing.
 */
async function probe(
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
  using reviewer = reviewerClient(at, token, context, glanceMs);
  try {
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
    const why = isUnreachable(error) ? "The API server cannot be reached" : "The API server could not be asked";
    context.log.warn(`${why}: the token of ${subject} was not tried. ${(error as Error).message}`);
    return "unsure";
  }
}
