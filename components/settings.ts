import * as pulumi from "@pulumi/pulumi";
import { type AkeylessSettings, akeylessKeys, readAkeyless } from "./akeylessSettings.ts";
import {
  type BearerTokenUserSettings,
  checkBearerTokenUsers,
  readBearerTokenUsers,
} from "./bearerTokenUserSettings.ts";
import { type CertificateSettings, checkCertificate, readRotation } from "./certificateSettings.ts";
import { keyTypes } from "./clientCertificate.ts";
import { type Product, products, takes } from "./products.ts";
import { type RancherSettings, rancherKeys, readRancher } from "./rancherSettings.ts";
import { type TokenMode, tokenModes } from "./reviewerToken.ts";
import type { ReviewerRole } from "./rights.ts";
import { label, SettingsReader, subdomain } from "./settingsReader.ts";
import { readVerifier, type VerifierProgramSettings, verifierKeys } from "./verifierSettings.ts";

/** The stack's settings, read and checked. What each means stands in Pulumi.yaml. Empty text there is undefined here. */
export interface Settings {
  readonly kubeconfig?: pulumi.Output<string>;
  readonly context?: string;
  readonly kubernetesHost?: string;
  readonly kubernetesCa?: string;
  readonly kubernetesCaPin?: string;
  readonly trustOnFirstUse: boolean;
  readonly allowLoopbackHost: boolean;
  readonly proveHost: boolean;
  readonly namespace?: string;
  readonly createNamespace: boolean;
  readonly serviceAccountName: string;
  readonly token: {
    readonly tokenMode: TokenMode;
    readonly tokenExpirationSeconds: number;
    readonly tokenRenewBefore?: number;
  };
  readonly reviewerRole: ReviewerRole;
  readonly products: readonly Product[];
  readonly bindingName?: string;
  readonly tokenFlow: boolean;
  readonly certificateFlow: boolean;
  readonly certificate: CertificateSettings;
  /** By name, which is the ServiceAccount's too. */
  readonly bearerTokenUsers: Readonly<Record<string, BearerTokenUserSettings>>;
  readonly audience?: string;
  readonly validateIssuer: boolean;
  /** Undefined without a verifier. */
  readonly verifier?: VerifierProgramSettings;
  /** Undefined without a Rancher server before the cluster. */
  readonly rancher?: RancherSettings;
  readonly akeyless: AkeylessSettings;
}

const keys = [
  "kubeconfig",
  "context",
  "kubernetesHost",
  "kubernetesCa",
  "kubernetesCaPin",
  "trustOnFirstUse",
  "allowLoopbackHost",
  "proveHost",
  "namespace",
  "createNamespace",
  "serviceAccountName",
  "tokenMode",
  "tokenExpirationSeconds",
  "tokenRenewBefore",
  "reviewerRole",
  "products",
  "bindingName",
  "tokenFlow",
  "certificateFlow",
  "certificateCommonName",
  "certificateOrganization",
  "certificateKeyType",
  "certificateExpirationSeconds",
  "certificateRenewBefore",
  "certificateApproval",
  "certificateRequest",
  "certificateKey",
  "rotation",
  "bearerTokenUsers",
  "audience",
  "validateIssuer",
  ...verifierKeys,
  ...rancherKeys,
  ...akeylessKeys,
] as const;

/**
 * Reads the stack's configuration. Throws one error that names every setting that is unknown, malformed or contradicts
 * another, before anything is made.
 */
export function readSettings(config = new pulumi.Config("k8sauth")): Settings {
  const read = new SettingsReader(config, keys);
  const settings: Settings = {
    kubeconfig: read.secret("kubeconfig"),
    context: read.text("context"),
    kubernetesHost: read.text("kubernetesHost"),
    kubernetesCa: read.text("kubernetesCa"),
    kubernetesCaPin: read.text("kubernetesCaPin"),
    trustOnFirstUse: read.flag("trustOnFirstUse", false),
    allowLoopbackHost: read.flag("allowLoopbackHost", false),
    proveHost: read.flag("proveHost", true),
    namespace: read.name("namespace", label, 63),
    createNamespace: read.flag("createNamespace", true),
    // The Secret's name is this one and "-bound-token", and must fit too.
    serviceAccountName:
      read.name("serviceAccountName", subdomain, 253 - "-bound-token".length) ?? "gateway-token-reviewer",
    token: {
      tokenMode: read.choice("tokenMode", tokenModes),
      tokenExpirationSeconds: read.seconds("tokenExpirationSeconds", 2_592_000),
      tokenRenewBefore: read.seconds("tokenRenewBefore", 0) || undefined,
    },
    reviewerRole: read.choice("reviewerRole", ["tokenreviews", "auth-delegator"]),
    products: read.choices("products", products),
    bindingName: read.name("bindingName", subdomain, 253),
    tokenFlow: read.flag("tokenFlow", true),
    certificateFlow: read.flag("certificateFlow", false),
    certificate: {
      commonName: read.text("certificateCommonName") ?? `gateway-token-reviewer-${pulumi.getStack()}`,
      organization: read.text("certificateOrganization"),
      keyType: read.choice("certificateKeyType", keyTypes),
      expirationSeconds: read.seconds("certificateExpirationSeconds", 7_776_000),
      renewBefore: read.seconds("certificateRenewBefore", 0) || undefined,
      approval: read.choice("certificateApproval", ["auto", "external"]),
      csrPem: read.text("certificateRequest"),
      privateKeyPem: read.secret("certificateKey"),
      rotation: readRotation(
        read.object("rotation", "an object such as {current: 2026-q4, previous: [2026-q3]}"),
        (problem) => read.refuse("rotation", problem),
      ),
    },
    bearerTokenUsers: readBearerTokenUsers(read.object("bearerTokenUsers", "an object"), (problem) =>
      read.refuse("bearerTokenUsers", problem),
    ),
    audience: read.text("audience"),
    validateIssuer: read.flag("validateIssuer", false),
    verifier: readVerifier(read),
    rancher: readRancher(read),
    akeyless: readAkeyless(read),
  };
  if (settings.kubernetesHost && !URL.canParse(settings.kubernetesHost)) {
    read.refuse("kubernetesHost", `is "${settings.kubernetesHost}"; it is a URL such as https://api.example.com:6443`);
  }
  const { tokenExpirationSeconds, tokenRenewBefore } = settings.token;
  if (tokenExpirationSeconds < 600)
    read.refuse("tokenExpirationSeconds", `is ${tokenExpirationSeconds}; Kubernetes gives 600 s at least`);
  if (tokenRenewBefore !== undefined && tokenRenewBefore >= tokenExpirationSeconds) {
    read.refuse(
      "tokenRenewBefore",
      `is ${tokenRenewBefore}, which is not below k8sauth:tokenExpirationSeconds (${tokenExpirationSeconds})`,
    );
  }
  for (const product of settings.products) {
    if (settings.tokenFlow || (settings.certificateFlow && takes(product, "certificate"))) continue;
    read.refuse("products", `has ${product}, which takes no client certificate: it needs k8sauth:tokenFlow`);
  }
  const { kubernetesCa, kubernetesCaPin, trustOnFirstUse } = settings;
  if ([kubernetesCa !== undefined, kubernetesCaPin !== undefined, trustOnFirstUse].filter(Boolean).length > 1) {
    read.refuse(
      "kubernetesCa",
      "and k8sauth:kubernetesCaPin and k8sauth:trustOnFirstUse are ways to one CA; choose one",
    );
  }
  if (!settings.createNamespace && !settings.namespace)
    read.refuse("createNamespace", "is false, but k8sauth:namespace names none");
  const users = Object.keys(settings.bearerTokenUsers).length;
  const others = settings.verifier ?? settings.rancher ?? settings.akeyless.gatewayAccount;
  if (!settings.tokenFlow && !settings.certificateFlow && users === 0 && !others)
    read.refuse("tokenFlow", "and k8sauth:certificateFlow are both false, and k8sauth:bearerTokenUsers names nobody");
  const { namespace, tokenFlow, verifier } = settings;
  if (tokenFlow && namespace && verifier?.createNamespace && verifier.namespace === namespace)
    read.refuse("verifierCreateNamespace", "makes the namespace of k8sauth:namespace, which is the reviewer's to make");
  const { csrPem, privateKeyPem } = settings.certificate;
  const byCertificate = settings.certificateFlow && (csrPem === undefined || privateKeyPem !== undefined);
  if (settings.akeyless.push && !tokenFlow && !byCertificate && !settings.rancher && !settings.akeyless.gatewayAccount)
    read.refuse("akeylessPush", "is true, but the stack has no credential of a reviewer to push");
  checkBearerTokenUsers(settings.bearerTokenUsers, settings, (problem) => read.refuse("bearerTokenUsers", problem));
  checkCertificate(settings.certificate, (key, problem) => read.refuse(key, problem));
  read.finish();
  return settings;
}
