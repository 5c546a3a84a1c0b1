import { isKubeError, isUnreachable, type KubeError } from "../../kubernetes/errors.ts";
import { ProviderError, type ProviderErrorCode } from "../protocol/errors.ts";
import { type Condition, condition, type SigningObject } from "./signingObject.ts";

/** Codes of errors that occur after the approval. */
export const afterApproval: readonly ProviderErrorCode[] = [
  "CERTIFICATE_FAILED",
  "CERTIFICATE_REJECTED",
  "CERTIFICATE_REFUSED",
  "CERTIFICATE_MAY_NOT_REVIEW",
];

const object = (name: string) => `CertificateSigningRequest ${name}`;

export function nameTaken(name: string, wrong: readonly string[]): ProviderError {
  return new ProviderError(
    "CERTIFICATE_NAME_TAKEN",
    `${object(name)} exists already and is not this stack's: ${wrong.join("; ")}.`,
    `It was not approved. Find out who created it, then: kubectl delete csr ${name}`,
  );
}

export function changedByOthers(name: string, wrong: readonly string[]): ProviderError {
  return new ProviderError(
    "CERTIFICATE_REQUEST_OTHER",
    `${object(name)} differs from what was posted: ${wrong.join("; ")}.`,
    "Something in the cluster changes or replaces such objects: check its webhooks and the audit log.",
  );
}

export function gone(name: string, rounds: number): ProviderError {
  return new ProviderError(
    "CERTIFICATE_REQUEST_GONE",
    `${object(name)} was deleted ${rounds} times before it had a certificate.`,
    "Something in the cluster deletes such objects: check the audit log.",
  );
}

export function mayNotApprove(name: string, signerName: string, error: KubeError): ProviderError {
  const said = error.serverMessage ? ` (${error.serverMessage.replace(/\.$/, "")})` : "";
  return new ProviderError(
    "CERTIFICATE_MAY_NOT_APPROVE",
    `The deployer may not approve ${object(name)}${said}.`,
    `Two rights are needed: update on certificatesigningrequests/approval.certificates.k8s.io, and approve on signers.certificates.k8s.io "${signerName}". Or set approval to "external" and let another user approve.`,
  );
}

export function conflict(name: string, error: KubeError): ProviderError {
  return new ProviderError(
    "CERTIFICATE_APPROVAL_CONFLICT",
    `The approval of ${object(name)} had a conflict until the timeout: ${error.serverMessage || "no reason given"}.`,
    "Something in the cluster keeps changing such objects: check its controllers, then run up again.",
  );
}

export function timedOut(
  name: string,
  copy: SigningObject,
  signerName: string,
  { approval, limitMs }: { readonly approval: "auto" | "external"; readonly limitMs: number },
): ProviderError {
  const seconds = Math.round(limitMs / 1000);
  if (!condition(copy, "Approved")) {
    return new ProviderError(
      "CERTIFICATE_NOT_APPROVED",
      `${object(name)} was not approved within ${seconds} s.`,
      `It stays for 24 h. Approve it (kubectl certificate approve ${name}) and run up again, which resumes the same request. Kubernetes deletes an approved request after an hour: run up within that time.`,
    );
  }
  const next =
    approval === "external"
      ? "The next up resumes the same request."
      : "The request was deleted. The next up creates a new one.";
  return new ProviderError(
    "CERTIFICATE_NOT_ISSUED",
    `${object(name)} was approved, and the signer ${signerName} did not sign it within ${seconds} s: it seems that nothing in this cluster signs for it.`,
    `Check that kube-controller-manager runs with --cluster-signing-cert-file and --cluster-signing-key-file and look at its log; managed clusters without them need the token flow. ${next}`,
  );
}

export function denied(name: string, decision: Condition): ProviderError {
  return new ProviderError(
    "CERTIFICATE_DENIED",
    `${object(name)} was denied: ${reasonOf(decision)}.`,
    `It stays for an hour. Ask the approvers of the cluster for the reason. To request again: kubectl delete csr ${name}, then up.`,
  );
}

export function failed(name: string, decision: Condition, signerName: string): ProviderError {
  return new ProviderError(
    "CERTIFICATE_FAILED",
    `The signer ${signerName} refuses ${object(name)}: ${reasonOf(decision)}.`,
    "Correct the usages, subject or lifetime that it names. The next up creates a new request.",
  );
}

export function cancelled(name: string): ProviderError {
  return new ProviderError("CANCELLED", `The wait for ${object(name)} was cancelled.`);
}

function reasonOf({ reason, message }: Condition): string {
  const text = [reason, message?.trim().replace(/\.$/, "")].filter(Boolean).join(": ");
  return text || "no reason given";
}

/** Whether a retry may succeed. The effect of the failed request is unknown. */
export function isTransient(error: unknown): error is KubeError {
  return isUnreachable(error) || isKubeError(error, "KUBE_SERVER_ERROR", "KUBE_GONE");
}
