import * as pulumi from "@pulumi/pulumi";
import { type KeyType, keyTypes, type Rotation, userName } from "./clientCertificate.ts";
import type { ReviewerRole } from "./rights.ts";

/** The stack's settings, read and checked. What each means stands in Pulumi.yaml. Empty text there is undefined here. */
export interface Settings {
  readonly kubeconfig?: pulumi.Output<string>;
  readonly context?: string;
  readonly kubernetesHost?: string;
  readonly kubernetesCa?: string;
  readonly allowLoopbackHost: boolean;
  readonly proveHost: boolean;
  readonly namespace?: string;
  readonly createNamespace: boolean;
  readonly serviceAccountName: string;
  readonly reviewerRole: ReviewerRole;
  readonly bindingName?: string;
  readonly tokenFlow: boolean;
  readonly certificateFlow: boolean;
  readonly certificate: {
    readonly commonName: string;
    readonly organization?: string;
    readonly keyType: KeyType;
    readonly expirationSeconds: number;
    readonly renewBefore?: number;
    readonly approval: "auto" | "external";
    readonly csrPem?: string;
    readonly privateKeyPem?: pulumi.Output<string>;
    readonly rotation?: Rotation;
  };
  readonly audience?: string;
  readonly validateIssuer: boolean;
  readonly akeyless: {
    readonly gatewayUrl?: string;
    readonly authConfigName: string;
    readonly accessId?: string;
    readonly signingKey?: pulumi.Output<string>;
  };
}

const keys = [
  "kubeconfig",
  "context",
  "kubernetesHost",
  "kubernetesCa",
  "allowLoopbackHost",
  "proveHost",
  "namespace",
  "createNamespace",
  "serviceAccountName",
  "reviewerRole",
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
  "audience",
  "validateIssuer",
  "akeylessGatewayUrl",
  "akeylessAuthConfigName",
  "akeylessAccessId",
  "akeylessSigningKey",
] as const;

/** DNS labels and subdomains, as the API server checks the names of objects (RFC 1123). */
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/**
 * Reads the stack's configuration. Throws one error that names every setting that is unknown, malformed or contradicts
 * another, before anything is made.
 */
export function readSettings(config = new pulumi.Config("k8sauth")): Settings {
  const problems: string[] = [];
  const refuse = (key: string, problem: string) => problems.push(`k8sauth:${key} ${problem}`);
  const text = (key: (typeof keys)[number]) => config.get(key)?.trim() || undefined;
  const flag = (key: (typeof keys)[number], instead: boolean) => {
    const value = text(key);
    if (value !== undefined && value !== "true" && value !== "false") refuse(key, `is "${value}"; it is true or false`);
    return value === undefined ? instead : value === "true";
  };
  const name = (key: (typeof keys)[number], pattern: RegExp, limit: number) => {
    const value = text(key);
    if (value !== undefined && value.length > limit)
      refuse(key, `has ${value.length} characters; at most ${limit} are allowed`);
    else if (value !== undefined && !pattern.test(value)) {
      refuse(key, `is "${value}"; lower-case letters, digits and "-" are allowed, with a letter or digit at both ends`);
    }
    return value;
  };
  const choice = <T extends string>(key: (typeof keys)[number], values: readonly [T, ...T[]]): T => {
    const value = text(key) ?? values[0];
    if (!(values as readonly string[]).includes(value)) refuse(key, `is "${value}"; it is one of ${values.join(", ")}`);
    return value as T;
  };
  const seconds = (key: (typeof keys)[number], instead: number) => {
    const value = text(key);
    if (value !== undefined && !/^\d{1,9}$/.test(value)) refuse(key, `is "${value}"; it is a number of seconds`);
    return value === undefined ? instead : Number(value);
  };
  for (const key of unknownKeys()) refuse(key, `is not a setting; known are ${keys.join(", ")}`);

  const settings: Settings = {
    kubeconfig: text("kubeconfig") === undefined ? undefined : config.requireSecret("kubeconfig"),
    context: text("context"),
    kubernetesHost: text("kubernetesHost"),
    kubernetesCa: text("kubernetesCa"),
    allowLoopbackHost: flag("allowLoopbackHost", false),
    proveHost: flag("proveHost", true),
    namespace: name("namespace", label, 63),
    createNamespace: flag("createNamespace", true),
    // The Secret's name is this one and "-token", and must fit too.
    serviceAccountName: name("serviceAccountName", subdomain, 253 - "-token".length) ?? "gateway-token-reviewer",
    reviewerRole: choice("reviewerRole", ["tokenreviews", "auth-delegator"]),
    bindingName: name("bindingName", subdomain, 253),
    tokenFlow: flag("tokenFlow", true),
    certificateFlow: flag("certificateFlow", false),
    certificate: {
      commonName: text("certificateCommonName") ?? "gateway-token-reviewer",
      organization: text("certificateOrganization"),
      keyType: choice("certificateKeyType", keyTypes),
      expirationSeconds: seconds("certificateExpirationSeconds", 7_776_000),
      renewBefore: seconds("certificateRenewBefore", 0) || undefined,
      approval: choice("certificateApproval", ["auto", "external"]),
      csrPem: text("certificateRequest"),
      privateKeyPem: text("certificateKey") === undefined ? undefined : config.requireSecret("certificateKey"),
      rotation: readRotation(config, (problem) => refuse("rotation", problem)),
    },
    audience: text("audience"),
    validateIssuer: flag("validateIssuer", false),
    akeyless: {
      gatewayUrl: text("akeylessGatewayUrl"),
      authConfigName: text("akeylessAuthConfigName") ?? "k8s-conf",
      accessId: text("akeylessAccessId"),
      signingKey: text("akeylessSigningKey") === undefined ? undefined : config.requireSecret("akeylessSigningKey"),
    },
  };
  if (settings.kubernetesHost && !URL.canParse(settings.kubernetesHost)) {
    refuse("kubernetesHost", `is "${settings.kubernetesHost}"; it is a URL such as https://api.example.com:6443`);
  }
  if (!settings.createNamespace && !settings.namespace)
    refuse("createNamespace", "is false, but k8sauth:namespace names none");
  if (settings.akeyless.signingKey && !settings.akeyless.accessId) {
    refuse("akeylessSigningKey", "is set without k8sauth:akeylessAccessId");
  }
  if (!settings.tokenFlow && !settings.certificateFlow)
    refuse("tokenFlow", "and k8sauth:certificateFlow are both false");
  checkCertificate(settings, refuse);
  if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));
  return settings;
}

function checkCertificate({ certificate }: Settings, refuse: (key: string, problem: string) => void): void {
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
function readRotation(config: pulumi.Config, refuse: (problem: string) => void): Rotation | undefined {
  let value: unknown;
  try {
    value = config.getObject("rotation");
  } catch {
    refuse("is not an object such as {current: 2026-q4, previous: [2026-q3]}");
  }
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

function unknownKeys(): string[] {
  const prefix = "k8sauth:";
  return Object.keys(pulumi.runtime.allConfig())
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
    .filter((key) => !(keys as readonly string[]).includes(key));
}
