import type { KubeClient } from "../kube/client.ts";
import { type Deployer, deployerClient } from "./clients.ts";
import { isProviderError, ProviderError } from "./errors.ts";
import type { CheckFailure } from "./fields.ts";
import type { Context, Resource, State } from "./resource.ts";
import { reviewerInputs, reviewerOutputs } from "./reviewerFields.ts";
import { probe, proved, requireSubject, subjectOf } from "./reviewerProof.ts";
import { mint } from "./tokenProof.ts";
import { type Credential, datesOf, leastSeconds, mostSeconds, requestToken } from "./tokenRequest.ts";
import { awaitToken, emptyToken, type TokenSecret } from "./tokenSecret.ts";

export interface ReviewerTokenInputs extends Deployer, TokenSecret {
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

/** Makes it another token. */
const identity = ["namespace", "serviceAccountName", "serviceAccountUid", "secretName", "secretUid", "mode"] as const;
/** Means another proof of the same token. */
const proof = ["host", "caPem", "issuer", "audience", "proof"] as const;
/** Of states that were written before there was a choice. */
const assumed: Partial<ReviewerTokenInputs> = { mode: "secret", proof: "tokenReview" };

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
    const refuse = (property: keyof ReviewerTokenInputs, expected: string) =>
      failures.push({ property, reason: `"${property}" is ${JSON.stringify(known[property])}; expected ${expected}.` });
    const { mode, proof: proving, expirationSeconds, renewBefore } = known;
    if (known.audience === "")
      failures.push({ property: "audience", reason: '"audience" is empty; leave it out for the default.' });
    if (mode !== undefined && !["secret", "tokenRequest"].includes(mode)) refuse("mode", '"secret" or "tokenRequest"');
    if (proving !== undefined && !["tokenReview", "self"].includes(proving)) refuse("proof", '"tokenReview" or "self"');
    if (mode === "secret") return failures;
    if (expirationSeconds !== undefined && !(expirationSeconds >= leastSeconds && expirationSeconds <= mostSeconds))
      refuse("expirationSeconds", `${leastSeconds} to ${mostSeconds}`);
    if (renewBefore !== undefined && !(renewBefore > 0 && renewBefore < (expirationSeconds ?? mostSeconds)))
      refuse("renewBefore", `more than 0 and less than "expirationSeconds" (${expirationSeconds})`);
    return failures;
  },

  async create(inputs, context) {
    using client = await deployerClient(inputs, context);
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
    const outputs: Partial<ReviewerTokenOutputs> = { ...echo(known, unknown), ...forecast(known) };
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
      const { renewAfter = "" } = state.outputs;
      if (renewAfter !== "" && Date.parse(renewAfter) <= context.now()) changes.renewAfter = "replace";
    }
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
      ...(known.proof === state.inputs.proof && same("audience") ? { audienceAcceptedByDefault } : {}),
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
    const { kind = "Secret", token = "", notBefore = "", notAfter = "" } = state.outputs;
    const dates = notAfter
      ? datesOf(Date.parse(notBefore), Date.parse(notAfter), inputs.renewBefore)
      : { notBefore, notAfter, renewAfter: "" };
    return proved(client, inputs, { kind, token, ...dates }, await workloadToken(client, inputs, context), context);
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

/** What a Secret that somebody has written to leads to. */
const spoilt = ["TOKEN_MALFORMED", "TOKEN_SUBJECT_OTHER", "TOKEN_REFUSED"] as const;

async function make(client: KubeClient, inputs: ReviewerTokenInputs, context: Context): Promise<ReviewerTokenOutputs> {
  // The workload's token needs only the account, which is there: both at once, and one failure ends the other.
  const other = new AbortController();
  const both = { ...context, signal: AbortSignal.any([context.signal, other.signal]) };
  const [credential, minted] = await Promise.all([
    inputs.mode === "tokenRequest" ? requestToken(client, inputs, inputs, both) : fromSecret(client, inputs, both),
    workloadToken(client, inputs, both),
  ]).finally(() => other.abort());
  requireSubject(credential.token, inputs);
  return proved(client, inputs, credential, minted, context);
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
