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
  const names = [rotation?.current, ...(rotation?.previous ?? [])].map((epoch) => userName(certificate, epoch));
  for (const name of names) refuseName("certificateCommonName", name, refuse);
  if (certificate.organization) refuseName("certificateOrganization", certificate.organization, refuse);
}

/** What a subject's name may be: RFC 5280 limits it to 64, Kubernetes keeps a prefix for itself. */
function refuseName(key: string, name: string, refuse: (key: string, problem: string) => void): void {
  const bytes = Buffer.byteLength(name);
  if (bytes > 64) refuse(key, `has ${bytes} bytes ("${name}"); 64 are allowed (RFC 5280)`);
  if (name.startsWith("system:")) refuse(key, 'starts with "system:", which is reserved for Kubernetes');
  if (/\p{C}/u.test(name)) refuse(key, `has control characters: ${JSON.stringify(name)}`);
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
