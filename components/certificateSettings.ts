import type * as pulumi from "@pulumi/pulumi";
import { type KeyType, type Rotation, userName } from "./clientCertificate.ts";

/** What the stack's settings say of the client certificate. */
export interface CertificateSettings {
  readonly commonName: string;
  readonly organization?: string;
  readonly keyType: KeyType;
  readonly expirationSeconds: number;
  readonly renewBefore?: number;
  readonly approval: "auto" | "external";
  readonly csrPem?: string;
  readonly privateKeyPem?: pulumi.Output<string>;
  readonly rotation?: Rotation;
}

/** Refuses what contradicts itself, or what Kubernetes and X.509 do not allow. */
export function checkCertificate(
  certificate: CertificateSettings,
  refuse: (key: string, problem: string) => void,
): void {
  const { expirationSeconds, renewBefore, csrPem, privateKeyPem, rotation } = certificate;
  if (expirationSeconds < 600)
    refuse("certificateExpirationSeconds", `is ${expirationSeconds}; Kubernetes signs for 600 s at least`);
  if (renewBefore !== undefined && renewBefore >= expirationSeconds) {
    refuse(
      "certificateRenewBefore",
      `is ${renewBefore}, which is not below k8sauth:certificateExpirationSeconds (${expirationSeconds})`,
    );
  }
  if (privateKeyPem && !csrPem) refuse("certificateKey", "is set without k8sauth:certificateRequest");
  if (rotation && csrPem)
    refuse("rotation", "is set beside k8sauth:certificateRequest; a request of your own has one name");
  const longest = Math.max(
    ...[rotation?.current, ...(rotation?.previous ?? [])].map((epoch) =>
      Buffer.byteLength(userName(certificate, epoch)),
    ),
  );
  if (longest > 64)
    refuse("certificateCommonName", `has ${longest} bytes with its epoch; a common name has 64 at most (RFC 5280)`);
  if (certificate.commonName.startsWith("system:"))
    refuse("certificateCommonName", 'starts with "system:", which is reserved for Kubernetes');
  if (certificate.organization?.startsWith("system:"))
    refuse("certificateOrganization", 'starts with "system:", which is reserved for Kubernetes');
}

const epochPattern = /^[a-z0-9][a-z0-9.-]{0,31}$/i;

/** `{current, previous}`; an empty object, the default, is no rotation. */
export function readRotation(value: unknown, refuse: (problem: string) => void): Rotation | undefined {
  if (typeof value !== "object" || value === null || Object.keys(value).length === 0) return undefined;
  const { current, previous = [], ...others } = value as { current?: unknown; previous?: unknown };
  for (const key of Object.keys(others)) refuse(`has "${key}"; it has current and previous`);
  const isEpoch = (epoch: unknown): epoch is string => typeof epoch === "string" && epochPattern.test(epoch);
  if (!isEpoch(current) || !Array.isArray(previous) || !previous.every(isEpoch)) {
    refuse("must name epochs of at most 32 letters, digits, dots and dashes: {current: 2026-q4, previous: [2026-q3]}");
    return undefined;
  }
  if (new Set([current, ...previous]).size !== previous.length + 1) refuse("names an epoch twice");
  return { current, previous };
}
