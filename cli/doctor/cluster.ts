/** Checks whether a cluster suits a stack: connection, clock, issuer, audiences, rights, signing of client certificates. */
import { decodeJwt } from "jose";
import { readIssuer } from "../../kubernetes/cluster/issuer.ts";
import { describeRight, missingRights } from "../../kubernetes/cluster/rights.ts";
import { apiServerClientSigner, lacksClientSigner } from "../../kubernetes/cluster/signers.ts";
import { readVersion } from "../../kubernetes/cluster/version.ts";
import { anonymousError, anonymousUser, isKubeError, type KubeClient, KubeError } from "../../kubernetes/index.ts";
import { reviewSelf, type SelfReview, workloadToken } from "../../kubernetes/reviews.ts";
import { sampleCertificate } from "../checks/sampleCertificate.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { exampleNamespace, type Flow, flows, rightsOf, setupOf } from "./flows.ts";

export interface ClusterOptions {
  /** Namespace of the reviewer and the verifier. It need not exist. Undefined for the default, a generated namespace. */
  readonly namespace: string | undefined;
  /** Flows that the deployer must be able to run. */
  readonly required: readonly Flow[];
  /** Whether to request a client certificate. */
  readonly sign: boolean;
  /** The clock of this machine. */
  readonly now: () => Date;
}

/**
 * Examines a cluster with the deployer's credentials. With `sign` it creates a CertificateSigningRequest and deletes it again. It creates no
 * other object.
 */
export async function examineCluster(client: KubeClient, options: ClusterOptions): Promise<Diagnosis[]> {
  const subject = "API server";
  try {
    const self = await reviewSelf(client);
    const at = options.now();
    if (self?.username === anonymousUser) {
      throw anonymousError("its SelfSubjectReview", client.connection, await client.connection.credentials.get());
    }
    const { version, distribution } = await readVersion(client);
    const { server, context } = client.connection;
    const as = self === undefined ? "" : `, as ${self.username}`;
    const seen = `${distribution} ${version} at ${server}${context && ` (context "${context}")`}${as}`;
    return [
      { subject, status: "ok", seen },
      clock(self, at),
      ...(await Promise.all([
        attempt("issuer", () => issuer(client)),
        attempt("audiences", () => audiences(client)),
        ...flows.map((flow) => attempt(`rights, ${flow}`, () => rights(client, flow, options))),
        attempt("client certificates", () => signing(client, distribution, options)),
      ])),
    ];
  } catch (error) {
    return [failure(subject, error)];
  }
}

/** Runs one check. Its error becomes its diagnosis, so that the other checks go on. */
async function attempt(subject: string, work: () => Promise<Omit<Diagnosis, "subject">>): Promise<Diagnosis> {
  try {
    return { subject, ...(await work()) };
  } catch (error) {
    return failure(subject, error);
  }
}

/** The diagnosis of an error of the API server or of the connection to it. @throws the error, if it is no KubeError */
export function failure(subject: string, error: unknown): Diagnosis {
  if (!(error instanceof KubeError)) throw error;
  const { message, remedy, code } = error;
  const what = remedy && message.endsWith(remedy) ? message.slice(0, -remedy.length).trimEnd() : message;
  const status = code === "KUBE_FORBIDDEN" ? "unknown" : "failed";
  return { subject, status, seen: `${what} (${code})`, ...(remedy && { remedy }) };
}

/** Largest accepted difference between the clocks, in seconds. */
const tolerance = 10;

function clock(self: SelfReview | undefined, now: Date): Diagnosis {
  const subject = "clock";
  if (self?.date === undefined) return { subject, status: "unknown", seen: "the API server's answer has no date" };
  // The header Date has whole seconds.
  const seconds = Math.round((now.getTime() - self.date.getTime()) / 1000);
  const seen = `this machine's clock is ${Math.abs(seconds)} s ${seconds < 0 ? "behind" : "ahead of"} the API server's`;
  if (Math.abs(seconds) <= tolerance) return { subject, status: "ok", seen };
  const remedy = "Synchronize both clocks with NTP: validity and renewal of tokens and certificates depend on them.";
  return { subject, status: "failed", seen, remedy };
}

async function issuer(client: KubeClient): Promise<Omit<Diagnosis, "subject">> {
  const { issuer, issuerNote, jwks } = await readIssuer(client);
  if (issuer === "" || jwks === "") {
    const seen = issuer === "" ? issuerNote : `${issuer}; its keys at /openid/v1/jwks cannot be read`;
    const remedy =
      "Only the modes `oidc-discovery` and `jwt-pubkey` of the verifier need the issuer. For these bind the ClusterRole system:service-account-issuer-discovery to the deployer.";
    return { status: "note", seen, remedy };
  }
  const { keys } = JSON.parse(jwks) as { keys: unknown[] };
  return { status: "ok", seen: `${issuer}; ${keys.length} ${keys.length === 1 ? "key" : "keys"}` };
}

/** Audiences of the API server. A token that is requested without audiences contains them. It is one of the account default/default. */
async function audiences(client: KubeClient): Promise<Omit<Diagnosis, "subject">> {
  let token: string;
  try {
    token = await workloadToken(client, "default", "default", "");
  } catch (error) {
    if (!isKubeError(error, "KUBE_FORBIDDEN")) throw error;
    const remedy = "No flow needs this. To know them, run doctor as an administrator.";
    return { status: "unknown", seen: `this user may not create a token of default/default (${error.code})`, remedy };
  }
  const { aud = [] } = decodeJwt(token);
  return { status: "ok", seen: [aud].flat().join(", ") };
}

async function rights(client: KubeClient, flow: Flow, options: ClusterOptions): Promise<Omit<Diagnosis, "subject">> {
  const setup = setupOf(flow, options.namespace);
  const needed = rightsOf(setup);
  const missing = await missingRights(client, needed);
  const isGenerated = setup.namespace === undefined;
  const where = isGenerated
    ? "with a generated namespace, the default"
    : `for namespace: ${setup.namespace} and createNamespace: false`;
  if (missing.length === 0) return { status: "ok", seen: `all ${needed.length} of the flow, ${where}` };
  const status = options.required.includes(flow) ? "failed" : "note";
  const list = missing.slice(0, 3).map(describeRight).join("; ");
  const more = missing.length > 3 ? `; and ${missing.length - 3} more` : "";
  const narrow = isGenerated
    ? ` A stack with \`namespace\` and \`createNamespace: false\` needs fewer: see \`k8sauth doctor --namespace ${exampleNamespace}\`.`
    : "";
  const remedy = `Bind the roles of ${setup.roles} to the deployer.${narrow}`;
  return { status, seen: `${missing.length} of ${needed.length} missing, ${where}: ${list}${more}`, remedy };
}

async function signing(
  client: KubeClient,
  distribution: string,
  { sign, required }: ClusterOptions,
): Promise<Omit<Diagnosis, "subject">> {
  if (lacksClientSigner(distribution)) {
    const status = required.includes("certificate") ? "failed" : "note";
    return { status, seen: `${distribution} signs none`, remedy: "Use the token flow." };
  }
  if (!sign) {
    const remedy = "`--sign` requests one for 10 minutes and for a user without rights, and deletes the request.";
    return { status: "unknown", seen: "no certificate was requested", remedy };
  }
  try {
    await sampleCertificate(client);
  } catch (error) {
    if (error instanceof KubeError) throw error;
    const remedy = `Run the controller manager with --cluster-signing-cert-file and --cluster-signing-key-file, or use the token flow.`;
    return { status: required.includes("certificate") ? "failed" : "note", seen: (error as Error).message, remedy };
  }
  return { status: "ok", seen: `the cluster signs them (${apiServerClientSigner})` };
}
