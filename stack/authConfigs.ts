import * as pulumi from "@pulumi/pulumi";
import type { AkeylessGateway } from "../components/akeyless/akeylessGateway.ts";
import { defaultUserTokenMode } from "../components/resources/reviewerToken.ts";
import { imageNotes } from "../components/verifier/image.ts";
import {
  type AkeylessAuthConfig,
  type AkeylessAuthMethod,
  type AkeylessKind,
  type AkeylessOptions,
  akeylessCertificateAuthConfig,
  akeylessConfigName,
  akeylessGatewayAccountAuthConfig,
  akeylessKinds,
  akeylessRancherAuthConfig,
  akeylessTokenAuthConfig,
  akeylessWorkloadLogin,
  type CertificateAccess,
  type ClusterAccess,
  consulAuthMethodConfig,
  infisicalKubernetesAuth,
  kubeconfig,
  projectedToken,
  type TokenAccess,
  vaultAuthConfig,
} from "../gateways/index.ts";
import type { StackAccess } from "./clusterAccess.ts";
import type { Flows } from "./credentials.ts";
import type { Settings } from "./settings/index.ts";

/** The stack outputs that gateways and workloads read. */
export function authConfigOutputs(settings: Settings, access: StackAccess, flows: Flows, pushed?: AkeylessGateway) {
  const audience = settings.audience ?? "";
  const { core, token, certificate } = access;
  const { authMethod, notes } = akeylessAuthMethod(settings, flows, pushed !== undefined);
  if (flows.token && settings.token.tokenMode === "tokenRequest")
    notes.push("The reviewer's token ends, and only a run of up renews it: schedule runs (docs/renewal.md).");
  notes.push(...userNotes(settings));
  notes.push(...rotationNotes(settings));
  if (settings.verifier) notes.push(...imageNotes(settings.verifier.image));
  const { gatewayUrl } = settings.akeyless;
  const nameOf = (kind: AkeylessKind) => akeylessConfigName(settings.akeyless.authConfigName, kind);
  const authConfigName = pushed?.authConfigName ?? nameOf(akeylessKinds.find((kind) => access[kind]) ?? "token");
  const accessId = pushed?.accessId ?? settings.akeyless.accessId;

  const vault = token?.apply(vaultAuthConfig);
  const asked = token && {
    ...(settings.products.includes("consul") && { consul: token.apply(consulAuthMethodConfig) }),
    ...(settings.products.includes("infisical") && {
      infisical: token.apply((access) => infisicalKubernetesAuth(access, { allowedNamespaces: [], allowedNames: [] })),
    }),
  };
  const formatted = <Access>(
    kind: AkeylessKind,
    from: pulumi.Output<Access> | undefined,
    format: (access: Access, method: AkeylessAuthMethod, options: AkeylessOptions) => AkeylessAuthConfig,
  ) => {
    const options = { name: nameOf(kind), validateIssuer: settings.validateIssuer };
    return (
      authMethod &&
      from &&
      pulumi.all([from, authMethod]).apply(([known, method]) => format(known as Access, method, options))
    );
  };
  const akeyless = pushed?.authConfigs ?? {
    token: formatted("token", token, akeylessTokenAuthConfig),
    certificate: formatted("certificate", certificate, akeylessCertificateAuthConfig),
    rancher: formatted("rancher", access.rancher, akeylessRancherAuthConfig),
    gatewayAccount: formatted("gatewayAccount", access.gatewayAccount, akeylessGatewayAccountAuthConfig),
  };
  const file = (access: TokenAccess | CertificateAccess, user: string) =>
    kubeconfig(access, { user, cluster: pulumi.getStack() });
  const kubeconfigs = {
    ...(token && { token: token.apply((access) => file(access, settings.serviceAccountName)) }),
    ...(certificate && {
      certificate: certificate.apply((access) => file(access, flows.certificate?.commonName ?? "")),
    }),
    ...Object.fromEntries(Object.entries(flows.users).map(([name, user]) => [name, user.kubeconfig])),
  };
  return {
    clusterAccess: pulumi.secret(
      pulumi
        .all([core, token, certificate])
        .apply(([...parts]) => Object.assign({}, ...parts) as Partial<TokenAccess & CertificateAccess>),
    ),
    authConfigs: pulumi.secret({
      ...(token && { token: { vault, openbao: vault, ...asked, ...(akeyless.token && { akeyless: akeyless.token }) } }),
      ...(certificate && { certificate: { ...(akeyless.certificate && { akeyless: akeyless.certificate }) } }),
      ...(akeyless.rancher && { rancher: { akeyless: akeyless.rancher } }),
      ...(akeyless.gatewayAccount && { gatewayAccount: { akeyless: akeyless.gatewayAccount } }),
    }),
    kubeconfigs: pulumi.secret(kubeconfigs),
    bearerTokenUsers: Object.fromEntries(
      Object.entries(settings.bearerTokenUsers).map(([name, { scope = "namespace", rules, clusterRole }]) => [
        name,
        { namespace: flows.users[name]?.namespace, scope, ...(rules ? { rules } : { clusterRole }) },
      ]),
    ),
    workloadLogin: {
      token: projectedToken(audience),
      ...(accessId &&
        gatewayUrl && {
          akeyless: pulumi
            .output({ accessId, gatewayUrl, authConfigName, audience })
            .apply((login) => akeylessWorkloadLogin(login)),
        }),
    },
    notes: withAudience(notes, settings, flows, core),
  };
}

/** Which users' tokens expire unless runs are scheduled. */
function userNotes({ bearerTokenUsers }: Settings): string[] {
  const expiring = Object.entries(bearerTokenUsers).flatMap(([name, { tokenMode = defaultUserTokenMode }]) =>
    tokenMode === "tokenRequest" ? [name] : [],
  );
  if (expiring.length === 0) return [];
  return [
    `The tokens of the bearer-token users ${expiring.join(", ")} expire, and only a run of up renews them: schedule runs (docs/renewal.md).`,
  ];
}

/** A rotation has no effect on a certificate whose request, and with it the name, is the user's own. */
export function rotationNotes({ token, certificateFlow, certificate }: Settings): string[] {
  if (token.rotation === undefined || !certificateFlow || certificate.csrPem === undefined) return [];
  return [
    "k8sauth:rotation does not rotate the certificate of k8sauth:certificateRequest: bring another request with another k8sauth:certificateCommonName.",
  ];
}

/** Akeyless and Consul name no audience when they review: they need one of the API server's. With any other, a token is for the gateway alone. */
function withAudience(
  notes: readonly string[],
  { audience }: Settings,
  { token }: Flows,
  core: pulumi.Output<ClusterAccess>,
): readonly string[] | pulumi.Output<readonly string[]> {
  if (audience === undefined) return notes;
  // Without a reviewer's token only the issuer is known to be an audience of the API server.
  const accepted = token?.token.audienceAcceptedByDefault ?? core.apply(({ issuer }) => issuer === audience);
  return accepted.apply((isApiServers) => {
    if (isApiServers) return [...notes, apiServerAudienceNote(audience)];
    return token ? [...notes, foreignAudienceNote(audience)] : notes;
  });
}

function apiServerAudienceNote(audience: string): string {
  return `The API server itself accepts tokens for "${audience}" (k8sauth:audience): a gateway that receives a workload's token can act as the workload in the cluster. Akeyless and Consul need such an audience. For other gateways set k8sauth:audience to a name that is not in the API server's --api-audiences.`;
}

function foreignAudienceNote(audience: string): string {
  return `Gateways that name no audience in a review (Akeyless, Consul) refuse tokens for "${audience}" (k8sauth:audience): add it to the API server's --api-audiences.`;
}

/** Access id and key of the auth method, and why what needs them is absent. */
function akeylessAuthMethod(
  { akeyless: { accessId, signingKey, gatewayUrl } }: Settings,
  flows: Flows,
  pushed: boolean,
) {
  const notes: string[] = [];
  const names = akeylessKinds.flatMap((kind) => (flows[kind] ? [`authConfigs.${kind}.akeyless`] : []));
  const absent = (why: string) => notes.push(...names.map((name) => `${name} is absent: ${why}`));
  // What is pushed has access id and key, given or of the stack's own auth method.
  if (!pushed && !accessId) absent("k8sauth:akeylessAccessId is not set.");
  else if (!pushed && !signingKey) absent("k8sauth:akeylessSigningKey is not set.");
  if (accessId && !gatewayUrl) notes.push("workloadLogin.akeyless is absent: k8sauth:akeylessGatewayUrl is not set.");
  if (flows.certificate && !flows.certificate.privateKeyPem) {
    notes.push(
      "kubeconfigs.certificate and authConfigs.certificate are without the private key of k8sauth:certificateRequest.",
    );
  }
  const authMethod = accessId && signingKey ? signingKey.apply((key) => ({ accessId, signingKey: key })) : undefined;
  return { authMethod, notes };
}
