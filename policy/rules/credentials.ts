/** Issued credentials. */
import { X509Certificate } from "node:crypto";
import type { Policies } from "@pulumi/policy";
import { reservedPrefixes } from "../kubernetes.ts";
import { type Report, type Subject, stackRule } from "../rule.ts";
import { all, each, present } from "../unknowns.ts";

const day = 24 * 3600 * 1_000;
const hardening = "https://kubernetes.io/docs/concepts/security/hardening-guide/authentication-mechanisms/";
const credentialTypes = ["k8sauth:index:ReviewerToken", "k8sauth:index:SignedCertificate"];
/** Tolerance for signers that set `notBefore` to an earlier time, for slow clocks. kube-controller-manager subtracts 5 minutes. */
const backdating = 10 * 60 * 1_000;

interface Dated {
  readonly notBefore?: string;
  readonly notAfter?: string;
}

export function credentialRules(now: () => Date): Policies {
  const nearExpiry = stackRule<{ days: number }>({
    name: "credential-near-expiry",
    level: "advisory",
    severity: "high",
    description: "Credentials are renewed before they expire.",
    reason: "Once the credential has expired, the gateway refuses every workload.",
    remedy:
      "Run up, and schedule it. k8sauth:tokenRenewBefore and k8sauth:certificateRenewBefore say how many seconds before its expiry a credential is renewed.",
    url: hardening,
    tags: ["token", "certificate", "expiry"],
    settings: {
      days: {
        type: "integer",
        description:
          "The policy warns from this many days before the expiry, and only in the last third of the credential's lifetime.",
        default: 14,
        minimum: 0,
      },
    },
    checkStack: (subjects, report, { days }) =>
      each(
        subjects.filter(({ type }) => credentialTypes.includes(type)),
        (subject) => {
          const { notBefore, notAfter } = subject.props as Dated;
          // A token that does not expire.
          if (present(notAfter, "notAfter") === "") return;
          const [start, end] = [Date.parse(notBefore ?? ""), Date.parse(notAfter as string)];
          const remaining = end - now().getTime();
          if (remaining <= 0) report(`The credential ${subject.name} expired at ${notAfter}.`, subject);
          // If `notBefore` is not a date, `start` is NaN and the comparison is false: only `days` applies.
          else if (remaining <= days * day && !(remaining > (end - start) / 3)) {
            report(`The credential ${subject.name} expires at ${notAfter}.`, subject);
          }
        },
      ),
  });
  return [nearExpiry, issuedCertificate];
}

interface Limits {
  readonly maxDays: number;
  readonly minRsaBits: number;
  readonly curves: readonly string[];
}

const issuedCertificate = stackRule<Limits>({
  name: "issued-certificate",
  level: "mandatory",
  severity: "high",
  description: "Issued certificates keep to the limits, also for supplied requests.",
  reason: "No other rule sees the key of a supplied request, and a signer may issue more than was requested.",
  remedy:
    "Choose a stronger key (k8sauth:certificateKeyType, or the key of k8sauth:certificateRequest) or a shorter lifetime (k8sauth:certificateExpirationSeconds), and run up.",
  url: hardening,
  tags: ["certificate", "key"],
  settings: {
    maxDays: { type: "integer", description: "Longest lifetime, in days.", default: 90, minimum: 1 },
    minRsaBits: { type: "integer", description: "Shortest RSA key, in bits.", default: 2048, minimum: 1024 },
    curves: {
      type: "array",
      description: "Curves of ECDSA keys, as OpenSSL calls them.",
      default: ["prime256v1", "secp384r1", "secp521r1"],
    },
  },
  checkStack: (subjects, report, limits) =>
    each(
      subjects.filter(({ type }) => type === "k8sauth:index:SignedCertificate"),
      (subject) => {
        const pem = present(subject.props.certificatePem as string | undefined, "certificatePem");
        const certificate = parsed(pem);
        if (certificate) checkIssued(certificate, subject, report, limits);
        else report(`The certificate ${subject.name} can't be read.`, subject);
      },
    ),
});

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

const reservedName = new RegExp(`^(?:CN|O|OU)=(?:${reservedPrefixes.join("|")})`, "m");

function checkIssued(certificate: X509Certificate, subject: Subject, report: Report, limits: Limits): void {
  const lifetime = certificate.validToDate.getTime() - certificate.validFromDate.getTime();
  const { modulusLength, namedCurve } = certificate.publicKey.asymmetricKeyDetails ?? {};
  const violation = (found: string) => report(`The certificate ${subject.name} ${found}`, subject);
  all(
    () => {
      if (lifetime > limits.maxDays * day + backdating) violation(`is valid for more than ${limits.maxDays} days.`);
    },
    () => {
      if (modulusLength !== undefined && modulusLength < limits.minRsaBits) {
        violation(`has an RSA key of ${modulusLength} bits; at least ${limits.minRsaBits} are required.`);
      }
    },
    () => {
      if (namedCurve !== undefined && !limits.curves.includes(namedCurve)) {
        violation(`has a key on the curve ${namedCurve}; ${limits.curves.join(", ")} are allowed.`);
      }
    },
    () => {
      if (certificate.ca) violation("is a CA certificate.");
      if (reservedName.test(certificate.subject)) violation("has a name that begins with system: or kubeadm:.");
    },
  );
}
