import type * as pulumi from "@pulumi/pulumi";
import { type KeyType, keyTypes, userName } from "../../components/clientCertificate.ts";
import { epochsOf, type Rotation } from "../../components/rotation.ts";
import { defaultServiceAccountName } from "../../components/tokenReviewer.ts";
import { reservedPrefix } from "../../kubernetes/cluster/reservedNames.ts";
import { defaultCertificateLifetime, shortestLifetime } from "../../kubernetes/lifetimes.ts";
import { type Refuse, refuseImmediateRenewal } from "./read.ts";
import { choice, seconds, secretText, shown, text, type Values } from "./setting.ts";

/** The reviewer's client certificate, with `certificateFlow`. */
export const certificateSettings = {
  certificateCommonName: text({
    unset: `\`${defaultServiceAccountName}-STACK\``,
    description:
      "The certificate's user, to which a rotation appends `-EPOCH`. Give each stack of a cluster a different user, because bindings are by user name.",
  }),
  certificateOrganization: text({
    unset: "none",
    description:
      "The certificate's group. The stack grants it no rights; the certificate has those that the cluster grants it.",
  }),
  certificateKeyType: choice(keyTypes, { default: "RSA2048", description: "Kind of the private key." }),
  certificateExpirationSeconds: seconds(shortestLifetime, {
    inputs: ["SignedCertificate.expirationSeconds"],
    default: defaultCertificateLifetime,
    description: "Lifetime of the certificate. The cluster may issue less.",
  }),
  certificateRenewBefore: seconds(1, {
    inputs: ["SignedCertificate.renewBefore"],
    unset: "a third of the lifetime",
    description:
      "Number of seconds before the expiry of the certificate. `pulumi up` [renews](renewal.md) it from then on. Set it to more than the time between your runs.",
  }),
  certificateApproval: choice(["auto", "external"], {
    inputs: ["SignedCertificate.approval"],
    default: "auto",
    description:
      "`auto`: the deployer approves the request. `external`: another user approves it. `pulumi up` waits 300 s for the approval. After a later approval, run it again within an hour.",
  }),
  certificateRequest: text({
    inputs: ["SignedCertificate.csrPem", "Cluster.certificateRequests", "Cluster.csrPem"],
    unset: "a generated key and request",
    description: "Your own certificate request, PEM, for the user in `certificateCommonName`.",
  }),
  certificateKey: secretText({
    inputs: ["SignedCertificate.privateKeyPem", "Cluster.privateKeyPem"],
    unset: "none",
    description: "Private key of `certificateRequest`, PEM. It proves the certificate and is part of the auth configs.",
  }),
} as const;

/** The converted settings of the client certificate. */
export interface CertificateSettings {
  readonly commonName: string;
  readonly organization?: string;
  readonly keyType: KeyType;
  readonly expirationSeconds: number;
  /** In seconds. @default a third of the lifetime */
  readonly renewBefore?: number;
  readonly approval: "auto" | "external";
  readonly csrPem?: string;
  readonly privateKeyPem?: pulumi.Output<string>;
  /** Undefined for a supplied request, which has one fixed user name. */
  readonly rotation?: Rotation;
}

/** Converts the settings of the certificate. */
export function certificateOf(
  values: Values<typeof certificateSettings>,
  stack: string,
  rotation: Rotation | undefined,
): CertificateSettings {
  return {
    commonName: values.certificateCommonName ?? `${defaultServiceAccountName}-${stack}`,
    organization: values.certificateOrganization,
    keyType: values.certificateKeyType,
    expirationSeconds: values.certificateExpirationSeconds,
    renewBefore: values.certificateRenewBefore,
    approval: values.certificateApproval,
    csrPem: values.certificateRequest,
    privateKeyPem: values.certificateKey,
    rotation: values.certificateRequest === undefined ? rotation : undefined,
  };
}

/** Refuses contradictions between the settings of the certificate. Names are checked only if the certificate flow uses them. */
export function checkCertificate(certificate: CertificateSettings, flow: boolean, refuse: Refuse): void {
  const { expirationSeconds, renewBefore, csrPem, privateKeyPem, rotation } = certificate;
  refuseImmediateRenewal(
    ["certificateRenewBefore", renewBefore],
    ["certificateExpirationSeconds", expirationSeconds],
    refuse,
  );
  if (privateKeyPem && !csrPem) refuse(["certificateKey"], "is set, but k8sauth:certificateRequest is not");
  if (!flow) return;
  for (const epoch of epochsOf(rotation)) refuseName("certificateCommonName", userName(certificate, epoch), refuse);
  if (certificate.organization) refuseName("certificateOrganization", certificate.organization, refuse);
}

/**
 * Refuses a common name or an organization that is too long, reserved for Kubernetes, or contains control characters. RFC 5280 allows 64
 * characters. Bytes of UTF-8 are counted instead, which is stricter.
 */
function refuseName(key: string, name: string, refuse: Refuse): void {
  const bytes = Buffer.byteLength(name);
  if (bytes > 64) refuse([key], `has ${bytes} bytes (${shown(name)}). At most 64 are allowed (RFC 5280)`);
  const reserved = reservedPrefix(name);
  if (reserved !== undefined) refuse([key], `starts with "${reserved}", which is reserved for Kubernetes`);
  if (/\p{C}/u.test(name)) refuse([key], `has control characters: ${shown(name)}`);
}
