import type { KubeClient } from "../../kubernetes/client.ts";
import { readVersion } from "../../kubernetes/cluster/version.ts";
import { type Lifetime, renewalDate, rfc3339 } from "../lifetime.ts";
import { isProviderError } from "../protocol/errors.ts";
import type { Context } from "../protocol/resource.ts";
import { commonNames, nameText, organizations } from "../x509/x509.ts";
import type { SignedCertificateInputs, SignedCertificateOutputs } from "./certificateFields.ts";
import { type CertificateUse, prove } from "./certificateProof.ts";
import { type IssuedCertificate, readIssued, requireMatch } from "./issuedCertificate.ts";
import { requireSigners } from "./signers.ts";
import { Signing } from "./signing.ts";
import { cancelled } from "./signingErrors.ts";
import { type CertificateSpec, type Collected, knowsExpiration, requesterOf } from "./signingObject.ts";

/** Default timeouts of approval and signature, in milliseconds. */
const defaultTimeoutsMs = { auto: 60_000, external: 300_000 } as const;

function limitOf({ approval, timeoutSeconds }: SignedCertificateInputs, context: Context): number {
  return timeoutSeconds === undefined ? (context.timeoutMs ?? defaultTimeoutsMs[approval]) : timeoutSeconds * 1000;
}

/** Gets the certificate signed, compares it with its specification, proves it, and deletes the CertificateSigningRequest. */
export async function issueCertificate(
  inputs: SignedCertificateInputs,
  wanted: CertificateSpec,
  context: Context,
): Promise<SignedCertificateOutputs> {
  const { approval, renewBefore, expirationSeconds } = inputs;
  const limitMs = limitOf(inputs, context);
  warnIfLong(expirationSeconds, context);
  using client = await context.deployer.client(context, Math.min(limitMs, 15_000));
  const [{ version, distribution }, requester] = await Promise.all([readVersion(client), requesterOf(client, wanted)]);
  requireSigners(client, distribution, [wanted.signerName]);
  const isFresh = async (left: Collected) => {
    const issued = await readIssued(left.text).catch(() => undefined);
    // A certificate that cannot be read counts as fresh: acceptCertificate refuses it, and its error states the reason.
    return issued === undefined || left.now < renewalDate(lifetime(issued, left), renewBefore);
  };
  const options = { requester, version, approval, limitMs, isFresh };
  for (let again = true; ; again = false) {
    const signing = new Signing(client, wanted, options, context);
    try {
      const collected = await signing.collect();
      const outputs = await acceptCertificate(client, collected, inputs, wanted, version, context);
      await signing.cleanUp();
      return outputs;
    } catch (error) {
      await signing.abandon(error);
      // The certificate of an earlier run may be signed by a CA that the API server no longer trusts.
      if (again && signing.resumed && isProviderError(error, "CERTIFICATE_REFUSED", "CERTIFICATE_REJECTED")) continue;
      throw context.signal.aborted && !isProviderError(error, "CANCELLED") ? cancelled(signing.name) : error;
    }
  }
}

async function acceptCertificate(
  client: KubeClient,
  collected: Collected,
  inputs: SignedCertificateInputs,
  wanted: CertificateSpec,
  version: string,
  context: Context,
): Promise<SignedCertificateOutputs> {
  const issued = await readIssued(collected.text);
  requireMatch(issued, wanted, collected.now);
  const { x509, subject } = issued.leaf;
  const life = lifetime(issued, collected);
  warnOfLifetime(life, inputs, version, context);
  const untilValidMs = Math.max(0, x509.validFromDate.getTime() - collected.now.getTime());
  const [commonName = ""] = commonNames(subject);
  const outputs = {
    certificatePem: issued.pem,
    notBefore: rfc3339(x509.validFromDate),
    notAfter: rfc3339(life.notAfter),
    issuedAt: rfc3339(life.issuedAt),
    renewAfter: rfc3339(renewalDate(life, inputs.renewBefore)),
    serial: x509.serialNumber,
    fingerprint: x509.fingerprint256,
    commonName,
    organizations: organizations(subject),
    subject: nameText(subject),
    csrSha256: wanted.request.sha256,
  };
  return { ...outputs, ...(await proofOf(client, inputs, outputs, untilValidMs, context)) };
}

function lifetime({ leaf }: IssuedCertificate, { issuedAt }: Collected): Lifetime {
  return { notAfter: leaf.x509.validToDate, issuedAt };
}

/** Outputs of a certificate without a proof. */
export const notProved = {
  proved: false,
  proofNote: "The private key is not set: no call proved this certificate.",
} as const;

type Proved = Pick<SignedCertificateOutputs, "proved" | "proofNote">;

async function proofOf(
  deployer: KubeClient,
  inputs: SignedCertificateInputs,
  { certificatePem, commonName }: Pick<SignedCertificateOutputs, "certificatePem" | "commonName">,
  untilValidMs: number,
  context: Context,
): Promise<Proved> {
  const { privateKeyPem } = inputs;
  if (privateKeyPem === undefined) return notProved;
  const { server, caPem, tlsServerName } = deployer.connection;
  const at: Pick<CertificateUse, "host" | "caPem" | "tlsServerName"> = inputs.proveHost
    ? { host: inputs.host, caPem: inputs.caPem }
    : { host: server, caPem, tlsServerName };
  if (untilValidMs > 0) {
    context.log.warn(
      `The signer's clock is ahead of the API server's: the certificate of "${commonName}" becomes valid in ${Math.ceil(untilValidMs / 1000)} s.`,
    );
  }
  const waitMs = Math.min(untilValidMs, limitOf(inputs, context));
  await prove({ ...at, certificatePem, privateKeyPem, commonName }, inputs.proof, waitMs, context);
  return { proved: true, proofNote: "" };
}

/** Proves an existing certificate again, for another host or another proof. */
export async function proveAgain(
  inputs: SignedCertificateInputs,
  outputs: SignedCertificateOutputs,
  context: Context,
): Promise<Proved> {
  using client = await context.deployer.client(context);
  return proofOf(client, inputs, outputs, 0, context);
}

const daySeconds = 24 * 3600;

/** Warns of a long lifetime: client certificates cannot be revoked, and the Kubernetes hardening guide recommends short ones. */
export function warnIfLong(expirationSeconds: number, context: Context): void {
  if (expirationSeconds <= 90 * daySeconds) return;
  context.log.warn(
    `The certificate is requested for ${Math.floor(expirationSeconds / daySeconds)} days and cannot be revoked in that time: 90 days or less are better.`,
  );
}

/** Warns if the signer chose another lifetime than the requested one, or if daily runs can miss the renewal. */
function warnOfLifetime(
  { notAfter, issuedAt }: Lifetime,
  { expirationSeconds, renewBefore }: SignedCertificateInputs,
  version: string,
  context: Context,
): void {
  const seconds = Math.round((notAfter.getTime() - issuedAt.getTime()) / 1000);
  const until = `until ${rfc3339(notAfter)} (${seconds} s; requested: ${expirationSeconds} s)`;
  if (seconds > expirationSeconds + 900) {
    const why = knowsExpiration(version) ? "" : ": Kubernetes before 1.22 ignores the requested lifetime";
    context.log.warn(`The certificate is valid for longer than requested, ${until}${why}.`);
  }
  if (seconds < expirationSeconds - 900 || seconds < expirationSeconds * 0.9) {
    context.log.warn(`The certificate is valid for less than requested, ${until}.`);
  }
  const renewAfter = renewalDate({ notAfter, issuedAt }, renewBefore);
  if (notAfter.getTime() - renewAfter.getTime() < 2 * daySeconds * 1000) {
    context.log.warn(
      `Only pulumi up renews the certificate: schedule a run between ${rfc3339(renewAfter)} and the expiry, ${rfc3339(notAfter)}. Daily runs can miss that time.`,
    );
  }
  if (renewBefore !== undefined && renewBefore >= seconds) {
    context.log.warn(
      `"renewBefore" is longer than the lifetime of the certificate. The certificate is renewed after two thirds of its lifetime instead.`,
    );
  }
}
