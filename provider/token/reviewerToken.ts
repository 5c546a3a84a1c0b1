import type { KubeClient } from "../../kubernetes/client.ts";
import { shortestLifetime } from "../../kubernetes/lifetimes.ts";
import type { ReservedName } from "../cluster/preflight.ts";
import { isProviderError, ProviderError } from "../protocol/errors.ts";
import type { CheckFailure } from "../protocol/fields.ts";
import type { Context, Resource } from "../protocol/resource.ts";
import { watchDeletions } from "./deletionWatch.ts";
import {
  type ReviewerTokenInputs,
  type ReviewerTokenOutputs,
  reviewerInputs,
  reviewerOutputs,
  type TokenState,
} from "./reviewerFields.ts";
import { probe, proved, requireSubject, subjectOf } from "./reviewerProof.ts";
import { mint } from "./tokenProof.ts";
import { boundToken, type Credential, datesOf, mostSeconds } from "./tokenRequest.ts";
import { awaitToken, emptyToken, revalidateToken } from "./tokenSecret.ts";

/** Makes it another token. */
const identity = ["namespace", "serviceAccountName", "serviceAccountUid", "secretName", "secretUid", "mode"] as const;
/** Means another proof of the same token. */
const proof = ["host", "caPem", "issuer", "audience", "proof"] as const;
/** Of states that were written before there was a choice. */
const assumed: Partial<ReviewerTokenInputs> = { mode: "secret", proof: "tokenReview" };

/** The token of the account that reviews workloads' tokens: waited for, and proved by a review of itself. */
export const reviewerToken: Resource<ReviewerTokenInputs, ReviewerTokenOutputs> = {
  type: "k8sauth:index:ReviewerToken",
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
    const refuse = (property: keyof ReviewerTokenInputs, expected: string) =>
      failures.push({ property, reason: `"${property}" is ${JSON.stringify(known[property])}; expected ${expected}.` });
    const { mode, proof: proving, expirationSeconds, renewBefore } = known;
    if (known.audience === "")
      failures.push({ property: "audience", reason: '"audience" is empty; leave it out for the default.' });
    if (mode !== undefined && !["secret", "tokenRequest"].includes(mode)) refuse("mode", '"secret" or "tokenRequest"');
    if (proving !== undefined && !["tokenReview", "self"].includes(proving)) refuse("proof", '"tokenReview" or "self"');
    if (mode === "secret") return failures;
    if (expirationSeconds !== undefined && !(expirationSeconds >= shortestLifetime && expirationSeconds <= mostSeconds))
      refuse("expirationSeconds", `${shortestLifetime} to ${mostSeconds}`);
    if (renewBefore !== undefined && !(renewBefore > 0 && renewBefore < (expirationSeconds ?? mostSeconds)))
      refuse("renewBefore", `more than 0 and less than "expirationSeconds" (${expirationSeconds})`);
    return failures;
  },

  async create(inputs, context) {
    using client = await context.deployer.client(context);
    const id = `${inputs.namespace}/${inputs.secretName}`;
    try {
      return { id, outputs: await make(client, inputs, context) };
    } catch (error) {
      if (inputs.mode !== "secret" || !isProviderError(error, ...spoilt)) throw error;
      context.log.warn(
        `Secret ${id} holds no token that works. ${error.message} It is emptied, so that the cluster writes the token again.`,
      );
      await emptyToken(client, inputs);
      return { id, outputs: await make(client, inputs, context) };
    }
  },

  async previewCreate({ known, unknown }) {
    const outputs: Partial<ReviewerTokenOutputs> = {
      ...echo(known, unknown),
      ...forecast(known),
      ...acceptance(known, unknown),
    };
    return { outputs };
  },

  async diff(state, inputs, context) {
    const changes: Record<string, "update" | "replace"> = {};
    const changed = (name: keyof ReviewerTokenInputs) =>
      inputs.unknown.has(name) || (inputs.known[name] ?? "") !== (state.inputs[name] ?? assumed[name] ?? "");
    for (const name of proof) if (changed(name)) changes[name] = "update";
    for (const name of identity) if (changed(name)) changes[name] = "replace";
    if (inputs.known.mode === "tokenRequest") {
      if (changed("renewBefore")) changes.renewBefore = "update";
      if (changed("expirationSeconds")) changes.expirationSeconds = "replace";
      if (isDue(state, context)) changes.renewAfter = "replace";
    }
    if (Object.values(changes).includes("replace")) return changes;
    const verdict = await probe(state, inputs, context);
    if (verdict === "dead") changes.token = "replace";
    if (verdict === "powerless" || verdict === "invalidated") changes.proof = "update";
    return changes;
  },

  async previewUpdate(state, { known, unknown }) {
    const same = (name: "audience" | "issuer") =>
      !unknown.has(name) && (known[name] ?? "") === (state.inputs[name] ?? "");
    const { issuer, issuerSource, audienceAcceptedByDefault, ...kept } = state.outputs;
    const outputs: Partial<ReviewerTokenOutputs> = {
      ...kept,
      ...echo(known, unknown),
      ...(known.proof === state.inputs.proof && same("audience")
        ? { audienceAcceptedByDefault }
        : acceptance(known, unknown)),
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
    using client = await context.deployer.client(context);
    if (inputs.mode === "secret") await revalidateToken(client, inputs, context);
    const { kind = "Secret", token = "", notBefore = "", notAfter = "" } = state.outputs;
    const dates = notAfter
      ? datesOf(Date.parse(notBefore), Date.parse(notAfter), inputs.renewBefore)
      : { notBefore, notAfter, renewAfter: "" };
    return proved(client, inputs, { kind, token, ...dates }, await workloadToken(client, inputs, context), context);
  },

  async read(state, context) {
    if (state.outputs.token === undefined) {
      throw new ProviderError(
        "TOKEN_NOT_IMPORTABLE",
        "A ReviewerToken cannot be imported: its token is taken from the cluster by create.",
        "Declare it in the program and run up.",
      );
    }
    return (await probe(state, { known: state.inputs, unknown: new Set() }, context)) === "dead"
      ? undefined
      : { id: state.id, outputs: state.outputs };
  },

  async delete({ outputs }, context) {
    if (outputs.namespace !== undefined) watchDeletions(holders(outputs as ReviewerTokenOutputs), context);
  },
};

/** What the token is of, and what a destroy deletes after it. */
function holders({ namespace, serviceAccountName, secretName }: ReviewerTokenOutputs): ReservedName[] {
  return [
    { apiVersion: "v1", kind: "Namespace", name: namespace },
    { apiVersion: "v1", kind: "ServiceAccount", namespace, name: serviceAccountName },
    { apiVersion: "v1", kind: "Secret", namespace, name: secretName },
  ];
}

/** What a Secret that somebody has written to leads to. */
const spoilt = ["TOKEN_MALFORMED", "TOKEN_SUBJECT_OTHER", "TOKEN_REFUSED"] as const;

async function make(client: KubeClient, inputs: ReviewerTokenInputs, context: Context): Promise<ReviewerTokenOutputs> {
  // The workload's token needs only the account, which is there: both at once, and one failure ends the other.
  const other = new AbortController();
  const both = { ...context, signal: AbortSignal.any([context.signal, other.signal]) };
  const [credential, minted] = await Promise.all([
    inputs.mode === "tokenRequest" ? boundToken(client, inputs, inputs, both) : fromSecret(client, inputs, both),
    workloadToken(client, inputs, both),
  ]).finally(() => other.abort());
  requireSubject(credential.token, inputs);
  return proved(client, inputs, credential, minted, context);
}

/** Whether the token is due for renewal, which the user is told. */
function isDue({ inputs, outputs }: TokenState, { now, log }: Context): boolean {
  const { renewAfter = "", notAfter = "" } = outputs;
  if (renewAfter === "" || now() < Date.parse(renewAfter)) return false;
  const whose = `The token of ServiceAccount ${inputs.namespace}/${inputs.serviceAccountName}`;
  if (now() < Date.parse(notAfter)) {
    log.info(`${whose} is due for renewal since ${renewAfter}; it is valid until ${notAfter}.`);
  } else {
    log.warn(`${whose} expired on ${notAfter}. The API server refuses it.`);
  }
  return true;
}

const forever = { kind: "Secret", notBefore: "", notAfter: "", renewAfter: "" } as const;

async function fromSecret(client: KubeClient, inputs: ReviewerTokenInputs, context: Context): Promise<Credential> {
  return { ...forever, token: await awaitToken(client, inputs, context) };
}

/** A token as workloads have it, to see what a review says of it; none where the account reviews nobody. */
async function workloadToken(client: KubeClient, inputs: ReviewerTokenInputs, context: Context) {
  return inputs.proof === "self" ? undefined : mint(client, inputs, inputs.audience, context);
}

/** What a preview knows of a token that is still to be made. */
function forecast({ mode }: Partial<ReviewerTokenInputs>): Partial<Credential> {
  if (mode === undefined) return {};
  return mode === "secret" ? forever : { kind: "TokenRequest" };
}

/** Whether the API server accepts workloads' tokens itself, as far as a preview knows it. */
function acceptance(
  { audience, proof }: Partial<ReviewerTokenInputs>,
  unknown: ReadonlySet<string>,
): Partial<ReviewerTokenOutputs> {
  if (proof === "self") return { audienceAcceptedByDefault: false };
  return audience === undefined && !unknown.has("audience") ? { audienceAcceptedByDefault: true } : {};
}

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
