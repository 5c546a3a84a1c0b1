import * as pulumi from "@pulumi/pulumi";
import {
  akeylessCertificateAuthConfig,
  akeylessTokenAuthConfig,
  akeylessWorkloadLogin,
  type CertificateAccess,
  type ClusterAccess,
  kubeconfig,
  projectedToken,
  type TokenAccess,
  vaultAuthConfig,
} from "../gateways/index.ts";
import type { ClientCertificate } from "./clientCertificate.ts";
import type { Cluster } from "./cluster.ts";
import type { Settings } from "./settings.ts";
import type { TokenReviewer } from "./tokenReviewer.ts";

/** The flows that a stack has. */
export interface Flows {
  readonly token?: TokenReviewer;
  readonly certificate?: ClientCertificate;
}

/** The stack outputs that gateways and workloads read. */
export function authConfigOutputs(settings: Settings, cluster: Cluster, flows: Flows) {
  const audience = settings.audience ?? "";
  const issuer = flows.token?.token.issuer ?? cluster.issuer;
  const core = pulumi
    .all([cluster.host, cluster.caPem, issuer])
    .apply(([host, caPem, knownIssuer]): ClusterAccess => ({ host, caPem, issuer: knownIssuer, audience }));
  const token = flows.token && tokenAccess(core, flows.token);
  const certificate = flows.certificate && certificateAccess(core, flows.certificate);
  const { authMethod, notes } = akeylessAuthMethod(settings, flows);
  if (flows.token && settings.token.tokenMode === "tokenRequest")
    notes.push("The reviewer's token ends, and only a run of up renews it: schedule runs (docs/renewal.md).");
  const { gatewayUrl, authConfigName, accessId } = settings.akeyless;
  const options = { name: authConfigName, validateIssuer: settings.validateIssuer };

  const vault = token?.apply(vaultAuthConfig);
  const akeyless = {
    token:
      authMethod &&
      token &&
      pulumi.all([token, authMethod]).apply(([access, method]) => akeylessTokenAuthConfig(access, method, options)),
    certificate:
      authMethod &&
      certificate &&
      pulumi
        .all([certificate, authMethod])
        .apply(([access, method]) => akeylessCertificateAuthConfig(access, method, options)),
  };
  const file = (access: TokenAccess | CertificateAccess, user: string) =>
    kubeconfig(access, { user, cluster: pulumi.getStack() });
  const kubeconfigs = {
    ...(token && { token: token.apply((access) => file(access, settings.serviceAccountName)) }),
    ...(certificate && {
      certificate: certificate.apply((access) => file(access, flows.certificate?.commonName ?? "")),
    }),
  };
  return {
    clusterAccess: pulumi.secret(
      pulumi
        .all([core, token, certificate])
        .apply(([...parts]) => Object.assign({}, ...parts) as Partial<TokenAccess & CertificateAccess>),
    ),
    authConfigs: pulumi.secret({
      ...(token && { token: { vault, openbao: vault, ...(akeyless.token && { akeyless: akeyless.token }) } }),
      ...(certificate && { certificate: { ...(akeyless.certificate && { akeyless: akeyless.certificate }) } }),
    }),
    kubeconfigs: pulumi.secret(kubeconfigs),
    workloadLogin: {
      token: projectedToken(audience),
      ...(accessId &&
        gatewayUrl && { akeyless: akeylessWorkloadLogin({ accessId, gatewayUrl, authConfigName, audience }) }),
    },
    notes,
  };
}

function tokenAccess(core: pulumi.Output<ClusterAccess>, { token }: TokenReviewer): pulumi.Output<TokenAccess> {
  return pulumi.secret(pulumi.all([core, token.token]).apply(([access, jwt]) => ({ ...access, token: jwt })));
}

/** Without the private key, which stays with who brought the request, there is nothing to log in with. */
function certificateAccess(core: pulumi.Output<ClusterAccess>, { certificate, privateKeyPem }: ClientCertificate) {
  if (privateKeyPem === undefined) return undefined;
  return pulumi.secret(
    pulumi
      .all([core, certificate.certificatePem, privateKeyPem])
      .apply(
        ([access, certificatePem, keyPem]): CertificateAccess => ({ ...access, certificatePem, privateKeyPem: keyPem }),
      ),
  );
}

/** Access id and key of the auth method, and why what needs them is absent. */
function akeylessAuthMethod({ akeyless: { accessId, signingKey, gatewayUrl } }: Settings, flows: Flows) {
  const notes: string[] = [];
  const names = Object.entries(flows).flatMap(([flow, made]) => (made ? [`authConfigs.${flow}.akeyless`] : []));
  const absent = (why: string) => notes.push(...names.map((name) => `${name} is absent: ${why}`));
  if (!accessId) absent("k8sauth:akeylessAccessId is not set.");
  else if (!signingKey) absent("k8sauth:akeylessSigningKey is not set.");
  if (accessId && !gatewayUrl) notes.push("workloadLogin.akeyless is absent: k8sauth:akeylessGatewayUrl is not set.");
  if (flows.certificate && !flows.certificate.privateKeyPem) {
    notes.push(
      "kubeconfigs.certificate and authConfigs.certificate are without the private key of k8sauth:certificateRequest.",
    );
  }
  const authMethod = accessId && signingKey ? signingKey.apply((key) => ({ accessId, signingKey: key })) : undefined;
  return { authMethod, notes };
}
