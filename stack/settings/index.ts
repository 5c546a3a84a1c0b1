/** The stack's settings. docs/settings.md describes each of them. */
import * as pulumi from "@pulumi/pulumi";
import { acceptsCredential, type Product } from "../../components/products.ts";
import type { ReviewerRole } from "../../components/rbac/deployerPermissions.ts";
import type { TokenMode } from "../../components/resources/reviewerToken.ts";
import type { Rotation } from "../../components/rotation.ts";
import { inClusterContext as inCluster } from "../../kubernetes/kubeconfig/inCluster.ts";
import { type AkeylessSettings, akeylessOf } from "./akeyless.ts";
import { type CertificateSettings, certificateOf, checkCertificate } from "./certificate.ts";
import { checkCluster } from "./cluster.ts";
import { type RancherSettings, rancherOf } from "./rancher.ts";
import { Problems, type Refuse, readValues } from "./read.ts";
import { checkReviewer } from "./reviewer.ts";
import { schema } from "./schema.ts";
import type { Values } from "./setting.ts";
import { checkToken } from "./token.ts";
import { type BearerTokenUserSettings, checkUsers, usersOf } from "./users.ts";
import { type VerifierProgramSettings, verifierOf } from "./verifier.ts";

/** The stack's settings after all checks. */
export interface Settings {
  readonly kubeconfig?: pulumi.Output<string>;
  /** A context of the kubeconfig, or `in-cluster`. */
  readonly context: string;
  readonly offline: "fail" | "warn";
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
    readonly rotation?: Rotation;
  };
  readonly reviewerRole: ReviewerRole;
  readonly products: readonly Product[];
  readonly bindingName?: string;
  readonly tokenFlow: boolean;
  readonly certificateFlow: boolean;
  readonly certificate: CertificateSettings;
  /** By name of the ServiceAccount. */
  readonly bearerTokenUsers: Readonly<Record<string, BearerTokenUserSettings>>;
  /** Undefined for the API server's own audience. */
  readonly audience?: string;
  readonly validateIssuer: boolean;
  /** Whether Pulumi refuses to delete the stack and its reviewers. Undefined if it was never set. */
  readonly protect?: boolean;
  /** Undefined without a verifier. */
  readonly verifier?: VerifierProgramSettings;
  /** Undefined without a Rancher server in front of the cluster. */
  readonly rancher?: RancherSettings;
  readonly akeyless: AkeylessSettings;
}

/** Namespace of the program's settings in a stack's configuration. */
const project = "k8sauth";

/**
 * Reads the stack's configuration.
 *
 * @param contexts contexts of the kubeconfig, for the error if none is set
 * @throws RunError that names every setting that is unknown, malformed or contradicts another
 */
export function readSettings(contexts: readonly string[] = []): Settings {
  const config = ownConfig();
  const problems = new Problems(project);
  const values = readValues(schema, config, problems);
  const { refuse } = problems;
  if (!values.context) refuse(["context"], contextMissing(config, contexts));
  const settings = settingsOf(values, refuse);
  checkCluster(values, refuse);
  checkReviewer(values, refuse);
  checkToken(values, refuse);
  checkCertificate(settings.certificate, settings.certificateFlow, refuse);
  checkUsers(settings.bearerTokenUsers, settings, refuse);
  checkFlows(settings, refuse);
  if (problems.message !== undefined) throw new pulumi.RunError(problems.message);
  return settings;
}

/** Reads the stack's configuration as `readSettings` does. If it names no context, the error lists the contexts of the kubeconfig. */
export async function loadSettings(): Promise<Settings> {
  const { context, kubeconfig } = ownConfig();
  return readSettings(context?.trim() ? [] : await contextsOf(kubeconfig));
}

/** The settings of the project in the stack's configuration, with decrypted secrets and without the project's prefix. */
function ownConfig(): Readonly<Record<string, string>> {
  const prefix = `${project}:`;
  const all = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(all.map(([key, value]) => [key.slice(prefix.length), value]));
}

async function contextsOf(kubeconfig: string | undefined): Promise<readonly string[]> {
  const { findKubeconfig } = await import("../../kubernetes/kubeconfig/kubeconfig.ts");
  const found = await findKubeconfig(kubeconfig, process.env).catch(() => undefined);
  return found?.contexts.map(({ name }) => name) ?? [];
}

function contextMissing(config: Readonly<Record<string, string>>, contexts: readonly string[]): string {
  const file = `Pulumi.${pulumi.getStack()}.yaml`;
  const known = contexts.length > 0 ? ` (${contexts.join(", ")})` : "";
  const emptyStack =
    Object.keys(config).length === 0
      ? `The stack has no settings at all: ${file} is missing or empty. Restore it. `
      : "";
  return `is not set. ${emptyStack}For a new stack, name its cluster: run \`pulumi config set context NAME\` with the name of a context of your kubeconfig${known}, or ${inCluster} for the ServiceAccount of the pod that Pulumi runs in`;
}

function settingsOf(values: Values<typeof schema>, refuse: Refuse): Settings {
  const { tokenMode, tokenExpirationSeconds, tokenRenewBefore, rotation } = values;
  const stack = pulumi.getStack();
  return {
    kubeconfig: values.kubeconfig,
    context: values.context ?? "",
    offline: values.offline,
    kubernetesHost: values.kubernetesHost,
    kubernetesCa: values.kubernetesCa,
    kubernetesCaPin: values.kubernetesCaPin,
    trustOnFirstUse: values.trustOnFirstUse,
    allowLoopbackHost: values.allowLoopbackHost,
    proveHost: values.proveHost,
    namespace: values.namespace,
    createNamespace: values.createNamespace,
    serviceAccountName: values.serviceAccountName,
    token: { tokenMode, tokenExpirationSeconds, tokenRenewBefore, rotation },
    reviewerRole: values.reviewerRole,
    products: [...new Set(values.products)],
    bindingName: values.bindingName,
    tokenFlow: values.tokenFlow,
    certificateFlow: values.certificateFlow,
    certificate: certificateOf(values, stack, rotation),
    bearerTokenUsers: usersOf(values.bearerTokenUsers, rotation),
    audience: values.audience,
    validateIssuer: values.validateIssuer,
    protect: values.protect,
    verifier: verifierOf(values, refuse),
    rancher: rancherOf(values, refuse),
    akeyless: akeylessOf(values, stack, refuse),
  };
}

/** Refuses contradictions between the settings of different areas. */
function checkFlows(settings: Settings, refuse: Refuse): void {
  const { tokenFlow, certificateFlow, certificate, namespace, verifier, rancher, akeyless } = settings;
  const { csrPem, privateKeyPem } = certificate;
  for (const product of settings.products) {
    if (tokenFlow || (certificateFlow && acceptsCredential(product, "certificate"))) continue;
    refuse(
      ["products", "tokenFlow", "certificateFlow"],
      `has ${product}, which accepts no client certificate. Set k8sauth:tokenFlow to true`,
    );
  }
  const users = Object.keys(settings.bearerTokenUsers).length;
  if (!tokenFlow && !certificateFlow && users === 0 && !(verifier ?? rancher ?? akeyless.gatewayAccount)) {
    refuse(
      ["tokenFlow", "certificateFlow", "bearerTokenUsers", "verifier", "verifierAudiences"],
      "and k8sauth:certificateFlow are false, and no other setting creates anything. Set one of them to true, or set k8sauth:bearerTokenUsers",
    );
  }
  if (tokenFlow && namespace && verifier?.createNamespace && verifier.namespace === namespace) {
    refuse(
      ["verifierCreateNamespace"],
      "is true, but the reviewer creates the namespace of k8sauth:namespace. Set it to false",
    );
  }
  const usableCertificate = certificateFlow && (csrPem === undefined || privateKeyPem !== undefined);
  if (akeyless.push && !tokenFlow && !usableCertificate && !rancher && !akeyless.gatewayAccount)
    refuse(["akeylessPush"], "is true, but the stack has no credential of a reviewer to push");
  if (settings.token.rotation && !tokenFlow && users === 0 && !(certificateFlow && csrPem === undefined)) {
    refuse(
      ["rotation", "bearerTokenUsers"],
      "is set, but the stack has no token and no certificate to rotate. For a certificate of k8sauth:certificateRequest set another request and another k8sauth:certificateCommonName",
    );
  }
}
