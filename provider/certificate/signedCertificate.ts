import { failUnlessOffline, quickTimeoutMs } from "../cluster/reachability.ts";
import { lifetimeOf, renewalDate, rfc3339 } from "../lifetime.ts";
import { ProviderError } from "../protocol/errors.ts";
import type { Inputs } from "../protocol/fields.ts";
import type { Context, Resource } from "../protocol/resource.ts";
import {
  type CertificateState,
  certificateInputs,
  certificateOutputs,
  type SignedCertificateInputs,
  type SignedCertificateOutputs,
} from "./certificateFields.ts";
import { checkCertificateInputs } from "./certificateInputsCheck.ts";
import { type CertificateUse, type Probe, probe } from "./certificateProof.ts";
import { type CertificationRequest, readRequest } from "./csr.ts";
import { defaultUsages, requireAllowed, sameSet } from "./csrRules.ts";
import { issueCertificate, notProved, proveAgain, warnIfLong } from "./issuance.ts";
import { dueProperties, hasExpired, warnOfExpiredCertificate } from "./renewal.ts";
import {
  type CertificateSpec,
  differences,
  requesterOf,
  type SigningObject,
  signingName,
  signingPath,
} from "./signingObject.ts";

/** Inputs whose change keeps the certificate. */
const updatable = ["host", "caPem", "proveHost", "renewBefore", "approval", "proof", "timeoutSeconds"] as const;

/** A client certificate that the cluster signs. No object of it stays in the cluster. */
export const signedCertificate: Resource<SignedCertificateInputs, SignedCertificateOutputs> = {
  type: "k8sauth:index:SignedCertificate",
  inputs: certificateInputs,
  outputs: certificateOutputs,

  check: checkCertificateInputs,

  async create(inputs, context) {
    const outputs = await issueCertificate(inputs, await specOf(inputs), context);
    return { id: outputs.fingerprint, outputs };
  },

  async previewCreate({ known, unknown }, context) {
    const request = known.csrPem === undefined ? undefined : await readRequest(known.csrPem);
    if (known.expirationSeconds !== undefined) warnIfLong(known.expirationSeconds, context);
    const keyless = known.privateKeyPem === undefined && !unknown.has("privateKeyPem");
    return { outputs: { ...requestOutputs(request), ...(keyless ? notProved : {}) } };
  },

  async diff(state, inputs, context) {
    const changes: Record<string, "update" | "replace"> = {};
    for (const name of updatable) {
      if (inputs.unknown.has(name) || inputs.known[name] !== state.inputs[name]) changes[name] = "update";
    }
    Object.assign(changes, await otherRequest(state, inputs));
    if (Object.values(changes).includes("replace")) return changes;
    const renewBefore = inputs.unknown.has("renewBefore") ? state.inputs.renewBefore : inputs.known.renewBefore;
    const outputs = state.outputs as SignedCertificateOutputs;
    const due = (now = new Date(context.now())) => dueProperties(outputs, renewBefore, now, context);
    const { verdict, now } = await probeStored(state, inputs, context).catch((error: unknown) => {
      // The run fails, but its log shows that the certificate expires.
      due();
      throw error;
    });
    if (verdict === "dead") changes.certificatePem = "replace";
    if (verdict === "powerless" || isProofNew(outputs, inputs)) changes.proof = "update";
    for (const name of due(now)) changes[name] = "replace";
    return changes;
  },

  async update(state, inputs, context) {
    const outputs = state.outputs as SignedCertificateOutputs;
    const proof = await proveAgain(inputs, outputs, context);
    return { ...outputs, ...proof, renewAfter: rfc3339(renewalDate(lifetimeOf(outputs), inputs.renewBefore)) };
  },

  async previewUpdate(state, inputs) {
    const { known, unknown } = inputs;
    const outputs = state.outputs as SignedCertificateOutputs;
    const proof = isProofNew(outputs, inputs) ? { proved: undefined, proofNote: undefined } : {};
    const renewAfter = unknown.has("renewBefore")
      ? undefined
      : rfc3339(renewalDate(lifetimeOf(outputs), known.renewBefore));
    return { id: state.id, outputs: { ...outputs, ...proof, renewAfter } };
  },

  async read(state, context) {
    if (state.outputs.certificatePem === undefined) {
      throw new ProviderError(
        "CERTIFICATE_NOT_IMPORTABLE",
        "A SignedCertificate cannot be imported: its certificate is signed when it is created.",
        "Declare it in the program and run up.",
      );
    }
    const { verdict, now } = await probeStored(state, { known: state.inputs, unknown: new Set() }, context);
    const expired = hasExpired(state.outputs, now ?? new Date(context.now()));
    if (expired) warnOfExpiredCertificate(state.outputs, context);
    return verdict === "dead" || expired ? undefined : { id: state.id, outputs: state.outputs };
  },

  async delete(state, context) {
    // After a failed renewal a request may wait for approval. The certificate itself cannot be revoked.
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(quickTimeoutMs)]);
    await removeLeftover(state.inputs, { ...context, signal }).catch((error: Error) => {
      context.log.debug(`The deletion of an orphaned CertificateSigningRequest failed. ${error.message}`);
    });
  },
};

async function specOf(inputs: SignedCertificateInputs): Promise<CertificateSpec> {
  const { csrPem, signerName, expirationSeconds } = inputs;
  const request = await readRequest(csrPem);
  // The check before the run skips a request that is not known yet.
  requireAllowed(request, signerName);
  return { request, signerName, expirationSeconds, usages: inputs.usages ?? defaultUsages(request) };
}

/** Whether the certificate was signed without its private key, and the inputs have the key now. */
function isProofNew(
  { proved }: SignedCertificateOutputs,
  { known, unknown }: Inputs<SignedCertificateInputs>,
): boolean {
  return !proved && (known.privateKeyPem !== undefined || unknown.has("privateKeyPem"));
}

function requestOutputs(request: CertificationRequest | undefined): Partial<SignedCertificateOutputs> {
  if (request === undefined) return {};
  const { commonName, organizations, sha256 } = request;
  return { commonName, organizations, csrSha256: sha256 };
}

/** Changes that need another certificate. Other line ends of the same request are no change. */
async function otherRequest(
  state: CertificateState,
  { known, unknown }: Inputs<SignedCertificateInputs>,
): Promise<Record<string, "replace">> {
  const changes: Record<string, "replace"> = {};
  for (const name of ["signerName", "expirationSeconds"] as const) {
    if (unknown.has(name) || known[name] !== state.inputs[name]) changes[name] = "replace";
  }
  if (unknown.has("csrPem") || known.csrPem === undefined) return { ...changes, csrPem: "replace" };
  const before = state.inputs.usages;
  const plain = known.csrPem === state.inputs.csrPem && !unknown.has("usages") && known.usages === before;
  if (plain) return changes;
  const request = await readRequest(known.csrPem);
  if (request.sha256 !== state.outputs.csrSha256) return { ...changes, csrPem: "replace" };
  const usages = defaultUsages(request);
  if (unknown.has("usages") || !sameSet(known.usages ?? usages, before ?? usages)) changes.usages = "replace";
  return changes;
}

/** Tries the certificate of the state at the server where the gateway uses it. "unsure" without its key. */
async function probeStored(
  state: CertificateState,
  { known, unknown }: Inputs<SignedCertificateInputs>,
  context: Context,
): Promise<Probe> {
  const { certificatePem, commonName = "" } = state.outputs;
  const { privateKeyPem } = state.inputs;
  const { host = state.inputs.host, caPem = state.inputs.caPem ?? "", proveHost, proof = "tokenReview" } = known;
  const notKnown = ["host", "caPem", "proof"].some((name) => unknown.has(name));
  if (!certificatePem || !privateKeyPem || !host || notKnown) return { verdict: "unsure" };
  let at: Pick<CertificateUse, "host" | "caPem" | "tlsServerName"> = { host, caPem };
  if (proveHost === false) {
    try {
      const connection = await context.deployer.connection(context);
      at = { host: connection.server, caPem: connection.caPem, tlsServerName: connection.tlsServerName };
    } catch (error) {
      failUnlessOffline(`The certificate of "${commonName}" was not tried.`, error, context);
      return { verdict: "unsure" };
    }
  }
  return probe({ ...at, certificatePem, privateKeyPem, commonName }, proof, context);
}

async function removeLeftover(inputs: Partial<SignedCertificateInputs>, context: Context): Promise<void> {
  if (inputs.csrPem === undefined) return;
  const wanted = await specOf(inputs as SignedCertificateInputs);
  using client = await context.deployer.client(context, quickTimeoutMs);
  const requester = await requesterOf(client, wanted);
  const path = signingPath(signingName(wanted, requester));
  const copy = await client.find<SigningObject>(path);
  if (copy === undefined || differences(copy, wanted, requester, "").length > 0) return;
  await client.delete(path, { uid: copy.metadata?.uid, ignoreNotFound: true });
}
