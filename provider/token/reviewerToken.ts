import type { KubeClient } from "../../kubernetes/client.ts";
import { shortestLifetime } from "../../kubernetes/lifetimes.ts";
import type { ReservedName } from "../cluster/reservedNames.ts";
import { dueReason } from "../lifetime.ts";
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
import { probe, proveToken, requireSubject, subjectOf } from "./reviewerProof.ts";
import { mint } from "./tokenProof.ts";
import { boundToken, type Credential, datesOf, maxLifetime } from "./tokenRequest.ts";
import { awaitToken, emptyToken, revalidateToken } from "./tokenSecret.ts";

/** Inputs whose change needs another token. */
const identity = ["namespace", "serviceAccountName", "serviceAccountUid", "secretName", "secretUid", "mode"] as const;
/** Inputs whose change needs another proof of the same token. */
const proofInputs = ["host", "caPem", "issuer", "audience", "proof"] as const;
/** Inputs of states that were written before these inputs existed. */
const legacyDefaults: Partial<ReviewerTokenInputs> = { mode: "secret", proof: "tokenReview" };

/** The token of the ServiceAccount that reviews workloads' tokens. A review of itself proves it. */
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
      failures.push({ property: "audience", reason: '"audience" is empty; leave it unset for the default.' });
    if (mode !== undefined && !["secret", "tokenRequest"].includes(mode)) refuse("mode", '"secret" or "tokenRequest"');
    if (proving !== undefined && !["tokenReview", "self"].includes(proving)) refuse("proof", '"tokenReview" or "self"');
    if (mode === "secret") return failures;
    if (expirationSeconds !== undefined && !(expirationSeconds >= shortestLifetime && expirationSeconds <= maxLifetime))
      refuse("expirationSeconds", `${shortestLifetime} to ${maxLifetime}`);
    if (renewBefore !== undefined && !(renewBefore > 0 && renewBefore < (expirationSeconds ?? maxLifetime)))
      refuse("renewBefore", `more than 0 and less than "expirationSeconds" (${expirationSeconds})`);
    return failures;
  },

  async create(inputs, context) {
    using client = await context.deployer.client(context);
    const id = `${inputs.namespace}/${inputs.secretName}`;
    try {
      return { id, outputs: await createToken(client, inputs, context) };
    } catch (error) {
      if (inputs.mode !== "secret" || !isProviderError(error, ...unusableToken)) throw error;
      context.log.warn(
        `Secret ${id} holds no token that works. ${error.message} The Secret is emptied, so that the cluster writes the token again.`,
      );
      await emptyToken(client, inputs);
      return { id, outputs: await createToken(client, inputs, context) };
    }
  },

  async previewCreate({ known, unknown }) {
    const outputs: Partial<ReviewerTokenOutputs> = {
      ...knownOutputs(known, unknown),
      ...previewCredential(known),
      ...previewAcceptance(known, unknown),
    };
    return { outputs };
  },

  async diff(state, inputs, context) {
    const changes: Record<string, "update" | "replace"> = {};
    const changed = (name: keyof ReviewerTokenInputs) =>
      inputs.unknown.has(name) || (inputs.known[name] ?? "") !== (state.inputs[name] ?? legacyDefaults[name] ?? "");
    for (const name of proofInputs) if (changed(name)) changes[name] = "update";
    for (const name of identity) if (changed(name)) changes[name] = "replace";
    if (inputs.known.mode === "tokenRequest") {
      if (changed("renewBefore")) changes.renewBefore = "update";
      if (changed("expirationSeconds")) changes.expirationSeconds = "replace";
      const renewBefore = inputs.unknown.has("renewBefore") ? state.inputs.renewBefore : inputs.known.renewBefore;
      if (isDue(state, renewBefore, context)) changes.renewAfter = "replace";
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
      ...knownOutputs(known, unknown),
      ...(known.proof === state.inputs.proof && same("audience")
        ? { audienceAcceptedByDefault }
        : previewAcceptance(known, unknown)),
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
    return proveToken(client, inputs, { kind, token, ...dates }, await workloadToken(client, inputs, context), context);
  },

  async read(state, context) {
    if (state.outputs.token === undefined) {
      throw new ProviderError(
        "TOKEN_NOT_IMPORTABLE",
        "A ReviewerToken cannot be imported: its token is read from the cluster when it is created.",
        "Declare it in the program and run up.",
      );
    }
    return (await probe(state, { known: state.inputs, unknown: new Set() }, context)) === "dead"
      ? undefined
      : { id: state.id, outputs: state.outputs };
  },

  async delete({ outputs }, context) {
    if (outputs.namespace !== undefined) watchDeletions(tokenObjects(outputs as ReviewerTokenOutputs), context);
  },
};

/** The objects of the token, which a destroy deletes after it. */
function tokenObjects({ namespace, serviceAccountName, secretName }: ReviewerTokenOutputs): ReservedName[] {
  return [
    { apiVersion: "v1", kind: "Namespace", name: namespace },
    { apiVersion: "v1", kind: "ServiceAccount", namespace, name: serviceAccountName },
    { apiVersion: "v1", kind: "Secret", namespace, name: secretName },
  ];
}

/** Codes of errors of a Secret that something else has written to. */
const unusableToken = ["TOKEN_MALFORMED", "TOKEN_SUBJECT_OTHER", "TOKEN_REFUSED"] as const;

async function createToken(
  client: KubeClient,
  inputs: ReviewerTokenInputs,
  context: Context,
): Promise<ReviewerTokenOutputs> {
  // The workload's token needs only the account, so both are requested concurrently. A failure of one cancels the other.
  const other = new AbortController();
  const cancellable = { ...context, signal: AbortSignal.any([context.signal, other.signal]) };
  const [credential, minted] = await Promise.all([
    inputs.mode === "tokenRequest"
      ? boundToken(client, inputs, inputs, cancellable)
      : fromSecret(client, inputs, cancellable),
    workloadToken(client, inputs, cancellable),
  ]).finally(() => other.abort());
  requireSubject(credential, inputs);
  return proveToken(client, inputs, credential, minted, context);
}

/** Whether the token is due for renewal. Logs it. */
function isDue({ inputs, outputs }: TokenState, renewBefore: number | undefined, { now, log }: Context): boolean {
  const { notBefore = "", notAfter = "" } = outputs;
  if (notAfter === "") return false;
  const whose = `The token of ServiceAccount ${inputs.namespace}/${inputs.serviceAccountName}`;
  return dueReason(whose, { issuedAt: notBefore, notAfter }, renewBefore, new Date(now()), log) !== undefined;
}

const noExpiry = { kind: "Secret", notBefore: "", notAfter: "", renewAfter: "" } as const;

async function fromSecret(client: KubeClient, inputs: ReviewerTokenInputs, context: Context): Promise<Credential> {
  return { ...noExpiry, token: await awaitToken(client, inputs, context) };
}

/** Requests a workload's token, which the reviewer reviews. Undefined if the ServiceAccount does not review tokens or the deployer may not. */
async function workloadToken(client: KubeClient, inputs: ReviewerTokenInputs, context: Context) {
  return inputs.proof === "self" ? undefined : mint(client, inputs, inputs.audience, context);
}

/** Outputs that a preview knows of a new token. */
function previewCredential({ mode }: Partial<ReviewerTokenInputs>): Partial<Credential> {
  if (mode === undefined) return {};
  return mode === "secret" ? noExpiry : { kind: "TokenRequest" };
}

/** Whether a review without an audience accepts workloads' tokens, as far as a preview knows it. */
function previewAcceptance(
  { audience, proof }: Partial<ReviewerTokenInputs>,
  unknown: ReadonlySet<string>,
): Partial<ReviewerTokenOutputs> {
  if (proof === "self") return { audienceAcceptedByDefault: false };
  return audience === undefined && !unknown.has("audience") ? { audienceAcceptedByDefault: true } : {};
}

function knownOutputs(
  known: Partial<ReviewerTokenInputs>,
  unknown: ReadonlySet<string>,
): Partial<ReviewerTokenOutputs> {
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
