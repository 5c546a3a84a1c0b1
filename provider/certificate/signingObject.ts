import { createHash } from "node:crypto";
import type { KubeClient, KubeObject } from "../../kubernetes/client.ts";
import { isKubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { reviewSelf } from "../../kubernetes/reviews.ts";
import { isOlderThan } from "../cluster/serverVersion.ts";
import type { CertificationRequest } from "./csr.ts";
import { sameSet } from "./csrRules.ts";

/** Specification of a certificate, for its signer. */
export interface CertificateSpec {
  readonly request: CertificationRequest;
  readonly signerName: string;
  readonly usages: readonly string[];
  readonly expirationSeconds: number;
}

/** The user who posts the request, as the API server records it. */
export interface Requester {
  readonly username: string;
  /** "" for users without a UID, such as those of client certificates. */
  readonly uid: string;
}

/** A condition of a CertificateSigningRequest. */
export interface Condition {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
  readonly lastUpdateTime?: string;
}

/** A CertificateSigningRequest, with the fields that are read. */
export interface SigningObject extends KubeObject {
  readonly spec?: {
    /** Base64 of the request's PEM. */
    readonly request?: string;
    readonly signerName?: string;
    readonly usages?: readonly string[];
    readonly expirationSeconds?: number;
    readonly username?: string;
    readonly uid?: string;
  };
  readonly status?: {
    /** Base64 of PEM. */
    readonly certificate?: string;
    readonly conditions?: readonly Condition[];
  };
}

const apiVersion = "certificates.k8s.io/v1";
const kind = "CertificateSigningRequest";

export const signingPath = (name?: string): string => pathFor(apiVersion, kind, undefined, name);

/**
 * The object's name: a hash of specification and requester, so that the next run finds the object of a run that was killed. A renewal has the
 * same name as the previous request. That one was deleted after success. If it still exists, it is resumed, or deleted if it is not usable.
 */
export function signingName(wanted: CertificateSpec, requester: Requester): string {
  const content = [
    wanted.request.sha256,
    wanted.signerName,
    [...wanted.usages].sort(),
    wanted.expirationSeconds,
    requester.username,
    requester.uid,
  ];
  return `k8sauth-${createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 20)}`;
}

export function signingBody(
  wanted: CertificateSpec,
  metadata: { readonly name: string } | { readonly generateName: string },
) {
  return {
    apiVersion,
    kind,
    metadata: { ...metadata, labels: { "app.kubernetes.io/managed-by": "k8sauth" } },
    spec: {
      request: Buffer.from(wanted.request.pem).toString("base64"),
      signerName: wanted.signerName,
      usages: wanted.usages,
      expirationSeconds: wanted.expirationSeconds,
    },
  };
}

/** The deployer as the API server records it in requests. Servers older than 1.28 have no SelfSubjectReview: there a dry run shows it. */
export async function requesterOf(client: KubeClient, wanted: CertificateSpec): Promise<Requester> {
  try {
    const { username, uid } = (await reviewSelf(client)) ?? { username: "", uid: "" };
    if (username) return { username, uid };
  } catch (error) {
    if (!isKubeError(error, "KUBE_FORBIDDEN")) throw error;
  }
  const body = signingBody(wanted, { generateName: "k8sauth-" });
  const copy = await client.create<SigningObject>(signingPath(), body, { dryRun: true, safe: true });
  return { username: copy.spec?.username ?? "", uid: copy.spec?.uid ?? "" };
}

/** Describes how the server's copy differs from the specification. Empty if it is ours. */
export function differences(
  copy: SigningObject,
  wanted: CertificateSpec,
  requester: Requester,
  version: string,
): string[] {
  const { spec = {} } = copy;
  const found: string[] = [];
  const expect = (what: string, is: unknown, ought: unknown) => {
    if (is !== ought) found.push(`${what} is ${JSON.stringify(is) ?? "missing"}, expected ${JSON.stringify(ought)}`);
  };
  if (Buffer.from(spec.request ?? "", "base64").toString("latin1") !== wanted.request.pem) {
    found.push("the request has other bytes");
  }
  expect("signerName", spec.signerName, wanted.signerName);
  if (!sameSet(spec.usages ?? [], wanted.usages)) {
    found.push(`usages are ${JSON.stringify(spec.usages ?? [])}, expected ${JSON.stringify(wanted.usages)}`);
  }
  if (spec.expirationSeconds !== undefined || knowsExpiration(version)) {
    expect("expirationSeconds", spec.expirationSeconds, wanted.expirationSeconds);
  }
  expect("username", spec.username ?? "", requester.username);
  expect("uid", spec.uid ?? "", requester.uid);
  return found;
}

/** Whether the server supports expirationSeconds. Kubernetes before 1.22 drops the field without a warning. */
export function knowsExpiration(version: string): boolean {
  return !isOlderThan(version, 22);
}

/** The condition of a type, if it holds. */
export function condition(copy: SigningObject, type: "Approved" | "Denied" | "Failed"): Condition | undefined {
  return copy.status?.conditions?.find((entry) => entry.type === type && entry.status !== "False");
}

/** The copy with our approval among its conditions. */
export function approved(copy: SigningObject): SigningObject {
  const approval: Condition = {
    type: "Approved",
    status: "True",
    reason: "ApprovedByK8sauth",
    message: "Posted, compared and approved by k8sauth in one run.",
  };
  return { ...copy, status: { ...copy.status, conditions: [...(copy.status?.conditions ?? []), approval] } };
}

/** The certificate in the status of a request. */
export interface Collected {
  /** PEM from the signer. */
  readonly text: string;
  /** When it was approved, by the server's clock. The signature follows at once. */
  readonly issuedAt: Date;
  /** The server's time now. */
  readonly now: Date;
}

/** Reads the certificate from the status. Undefined without one. */
export function collectedFrom(copy: SigningObject, now: Date): Collected | undefined {
  const { certificate } = copy.status ?? {};
  if (!certificate) return undefined;
  const { lastTransitionTime, lastUpdateTime } = condition(copy, "Approved") ?? {};
  const approvedAt = new Date(lastTransitionTime ?? lastUpdateTime ?? copy.metadata?.creationTimestamp ?? "");
  const issuedAt = Number.isNaN(approvedAt.getTime()) ? now : approvedAt;
  return { text: Buffer.from(certificate, "base64").toString("utf8"), issuedAt, now };
}
