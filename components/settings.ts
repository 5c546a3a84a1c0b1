import * as pulumi from "@pulumi/pulumi";
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
  for (const key of unknownKeys()) refuse(key, `is not a setting; known are ${keys.join(", ")}`);

  const role = text("reviewerRole") ?? "tokenreviews";
  if (role !== "tokenreviews" && role !== "auth-delegator")
    refuse("reviewerRole", `is "${role}"; it is tokenreviews or auth-delegator`);
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
    reviewerRole: role as ReviewerRole,
    bindingName: name("bindingName", subdomain, 253),
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
  if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));
  return settings;
}

function unknownKeys(): string[] {
  const prefix = "k8sauth:";
  return Object.keys(pulumi.runtime.allConfig())
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
    .filter((key) => !(keys as readonly string[]).includes(key));
}
