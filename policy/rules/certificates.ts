/** Requests for client certificates. */
import type { Policies } from "@pulumi/policy";
import { ofKinds, reservedPrefixes } from "../kubernetes.ts";
import { either, ofType, resourceRule, type Subject } from "../rule.ts";
import { all, each, some } from "../unknowns.ts";

const day = 24 * 3600;
const csrDocs = "https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/";
const hardening = "https://kubernetes.io/docs/concepts/security/hardening-guide/authentication-mechanisms/";

const isSigned = ofType("k8sauth:index:SignedCertificate");
const isKeysRequest = ofType("tls:index/certRequest:CertRequest");
const isRequest = either(isSigned, ofKinds("certificates.k8s.io", "CertificateSigningRequest"));

interface Request {
  readonly expirationSeconds?: number;
  readonly signerName?: string;
  readonly usages?: readonly string[];
}

/** The request of a SignedCertificate or of a CertificateSigningRequest. */
function requestOf({ type, props }: Subject): Request {
  return (isSigned(type) ? props : (props.spec ?? {})) as Request;
}

const lifetime = resourceRule<{ maxDays: number }>({
  name: "certificate-lifetime",
  level: "mandatory",
  severity: "high",
  description: "Client certificates are requested with a bounded lifetime.",
  reason: "They can't be revoked, and a request that names no lifetime gets the signer's longest, often a year.",
  remedy: "Choose a shorter lifetime (k8sauth:certificateExpirationSeconds); up renews the certificate in time.",
  url: hardening,
  tags: ["certificate"],
  settings: { maxDays: { type: "integer", description: "Longest lifetime, in days.", default: 90, minimum: 1 } },
  appliesTo: isRequest,
  check: (subject, report, { maxDays }) => {
    // The default of a SignedCertificate.
    const fallback = isSigned(subject.type) ? 90 * day : undefined;
    const seconds = requestOf(subject).expirationSeconds ?? fallback;
    if (seconds === undefined) report("It names no lifetime.");
    else if (seconds > maxDays * day) report(`It asks for ${seconds} seconds, which is more than ${maxDays} days.`);
  },
});

const signer = resourceRule<{ signers: readonly string[] }>({
  name: "certificate-signer",
  level: "mandatory",
  severity: "high",
  description: "Client certificates come from the signer for clients of the API server.",
  reason:
    "Certificates of other signers are trusted elsewhere: as a kubelet, as a server, or by programs that trust the signer.",
  remedy: "Use kubernetes.io/kube-apiserver-client, or add the signer to the setting signers.",
  url: csrDocs,
  tags: ["certificate"],
  settings: {
    signers: {
      type: "array",
      description: "Signers that are allowed.",
      default: ["kubernetes.io/kube-apiserver-client"],
    },
  },
  appliesTo: isRequest,
  check: (subject, report, { signers }) => {
    const name = requestOf(subject).signerName ?? "kubernetes.io/kube-apiserver-client";
    if (!signers.includes(name)) report(`It asks the signer ${name}.`);
  },
});

const allowedUsages = ["client auth", "digital signature", "key encipherment"];

const usages = resourceRule({
  name: "certificate-usages",
  level: "mandatory",
  severity: "high",
  description: "Client certificates are for client authentication alone.",
  reason: "A certificate that may also serve or sign allows more than its holder needs.",
  remedy: `Request no usages but ${allowedUsages.join(", ")}.`,
  url: csrDocs,
  tags: ["certificate"],
  appliesTo: isRequest,
  check: (subject, report) => {
    const { usages: requested } = requestOf(subject);
    if (requested === undefined) return;
    all(
      () =>
        each(requested, (usage) => {
          if (!allowedUsages.includes(usage)) report(`It asks for the usage "${usage}".`);
        }),
      () => {
        if (!some(requested, (usage) => usage === "client auth"))
          report('It does not ask for the usage "client auth".');
      },
    );
  },
});

interface Keys {
  readonly minRsaBits: number;
  readonly curves: readonly string[];
}

const keyStrength = resourceRule<Keys>({
  name: "key-strength",
  level: "mandatory",
  severity: "high",
  description: "Private keys are strong enough.",
  reason: "A key that can be computed from its public key protects nothing.",
  remedy: "Choose RSA2048 or more, P256 or P384 (k8sauth:certificateKeyType).",
  url: "https://csrc.nist.gov/pubs/sp/800/57/pt1/r5/final",
  tags: ["certificate", "key"],
  settings: {
    minRsaBits: { type: "integer", description: "Shortest RSA key, in bits.", default: 2048, minimum: 1024 },
    curves: { type: "array", description: "Curves of ECDSA keys.", default: ["P256", "P384", "P521"] },
  },
  appliesTo: ofType("tls:index/privateKey:PrivateKey"),
  check: ({ props }, report, { minRsaBits, curves }) => {
    const { algorithm } = props as { algorithm?: string };
    if (algorithm === "RSA") {
      const { rsaBits = 2048 } = props as { rsaBits?: number };
      if (rsaBits < minRsaBits) report(`It is an RSA key of ${rsaBits} bits; at least ${minRsaBits} are required.`);
    } else if (algorithm === "ECDSA") {
      const { ecdsaCurve = "P224" } = props as { ecdsaCurve?: string };
      if (!curves.includes(ecdsaCurve))
        report(`It is a key on the curve ${ecdsaCurve}; ${curves.join(", ")} are allowed.`);
    } else if (algorithm !== "ED25519") report(`Its algorithm is ${algorithm}.`);
  },
});

const subject = resourceRule({
  name: "certificate-subject",
  level: "mandatory",
  severity: "critical",
  description: "No certificate is requested for a name or group that starts with system: or kubeadm:.",
  reason:
    "Kubernetes and kubeadm reserve these names. The group system:masters is exempt from authorization, kubeadm:cluster-admins is bound to cluster-admin, and their certificates can't be revoked.",
  remedy:
    "Choose another common name and organization (k8sauth:certificateCommonName, k8sauth:certificateOrganization).",
  url: csrDocs,
  tags: ["certificate"],
  appliesTo: either(isKeysRequest, isRequest),
  check: ({ type, props }, report) => {
    if (!isKeysRequest(type)) {
      const pem = isSigned(type) ? props.csrPem : (props.spec as { request?: string } | undefined)?.request;
      if (hasReservedName(String(pem ?? "")))
        report("Its request contains a name that starts with system: or kubeadm:.");
      return;
    }
    const requested = (props.subject ?? {}) as Readonly<Record<string, string | undefined>>;
    all(
      ...["commonName", "organization", "organizationalUnit"].map((field) => () => {
        if (reservedPrefixes.some((prefix) => requested[field]?.startsWith(prefix)))
          report(`${field} is ${requested[field]}.`);
      }),
    );
  },
});

/** Tags of ASN.1 strings: UTF8String, PrintableString, T61String, IA5String; BMPString has two bytes for each character. */
const stringTags: readonly (number | undefined)[] = [0x0c, 0x13, 0x14, 0x16, 0x1e];
const reservedNames = reservedPrefixes.flatMap((prefix) => [
  Buffer.from(prefix),
  Buffer.from(prefix.replaceAll(/./g, "\0$&")),
]);

/** Whether a request has a reserved name anywhere. @param request PEM, or PEM in base64 as in a CertificateSigningRequest */
function hasReservedName(request: string): boolean {
  const pem = request.includes("-----BEGIN ") ? request : Buffer.from(request, "base64").toString("latin1");
  const blocks = pem.matchAll(/-----BEGIN [^-\n]+-----([\s\S]*?)-----END /g);
  // Kubernetes accepts headers in a block: lines with a colon.
  return Array.from(blocks, ([, text = ""]) => Buffer.from(text.replace(/^.*:.*$/gm, ""), "base64")).some((der) =>
    reservedNames.some((name) => {
      for (let at = der.indexOf(name); at >= 0; at = der.indexOf(name, at + 1)) if (startsString(der, at)) return true;
      return false;
    }),
  );
}

/** Whether a string starts at a position. Before it stand its tag and its length, which has one to three bytes. */
function startsString(der: Buffer, at: number): boolean {
  const [short = 0x80] = der.subarray(at - 1);
  if (stringTags.includes(der[at - 2]) && short < 0x80) return true;
  return [1, 2].some((bytes) => stringTags.includes(der[at - 2 - bytes]) && der[at - 1 - bytes] === 0x80 + bytes);
}

export const certificateRules: Policies = [lifetime, signer, usages, keyStrength, subject];
