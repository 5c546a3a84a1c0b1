import * as pulumi from "@pulumi/pulumi";
import type { AkeylessGateway } from "../components/akeyless/akeylessGateway.ts";
import type { Cluster } from "../components/cluster.ts";
import type { Verifier } from "../components/verifier/verifier.ts";
import {
  akeylessConfigName,
  akeylessKinds,
  akeylessWorkloadLogin,
  type CertificateAccess,
  kubeconfig,
  projectedToken,
  type TokenAccess,
} from "../gateways/index.ts";
import type { StackAccess } from "./clusterAccess.ts";
import type { Flows } from "./flows.ts";
import type { Settings } from "./settings/index.ts";

/** Kubeconfigs by flow, and by name of a user. Secret. */
export function kubeconfigOutputs({ serviceAccountName }: Settings, { token, certificate }: StackAccess, flows: Flows) {
  const format = (access: TokenAccess | CertificateAccess, user: string) =>
    kubeconfig(access, { user, cluster: pulumi.getStack() });
  return pulumi.secret({
    ...(token && { token: token.apply((access) => format(access, serviceAccountName)) }),
    ...(certificate && {
      certificate: certificate.apply((access) => format(access, flows.certificate?.commonName ?? "")),
    }),
    ...Object.fromEntries(Object.entries(flows.users).map(([name, user]) => [name, user.kubeconfig])),
  });
}

/** The neutral core with the credentials of token and certificate flow. Secret. */
export function clusterAccessOutput({ core, token, certificate }: StackAccess) {
  return pulumi.secret(
    pulumi
      .all([core, token, certificate])
      .apply((parts) => Object.assign({}, ...parts) as Partial<TokenAccess & CertificateAccess>),
  );
}

/** The parameters and the volume with which a workload logs in: `token` for any product, `akeyless` for Akeyless. */
export function workloadLoginOutputs(
  { audience = "", akeyless }: Settings,
  access: StackAccess,
  pushed: AkeylessGateway | undefined,
) {
  const { gatewayUrl } = akeyless;
  const accessId = pushed?.accessId ?? akeyless.accessId;
  const kind = akeylessKinds.find((one) => access[one]) ?? "token";
  const authConfigName = pushed?.authConfigName ?? akeylessConfigName(akeyless.authConfigName, kind);
  return {
    token: projectedToken(audience),
    ...(accessId &&
      gatewayUrl && {
        akeyless: pulumi
          .output({ accessId, gatewayUrl, authConfigName, audience })
          .apply((login) => akeylessWorkloadLogin(login)),
      }),
  };
}

/** Address and callers' volumes of the verifier. */
export function verifierOutputs({ url, mode, image, namespace, callers }: Verifier) {
  return { url, mode, image, namespace, callers };
}

/** Facts about the cluster that the run determined. */
export function clusterOutputs({ validateIssuer: issuerValidation }: Settings, cluster: Cluster, { token }: Flows) {
  const { host, caFingerprint, caSource, version, distribution, uid } = cluster;
  return {
    host,
    caFingerprint,
    caSource,
    issuer: token?.token.issuer ?? cluster.issuer,
    issuerSource: token?.token.issuerSource ?? "discovery",
    /** Whether the gateway compares the issuer of a token. */
    issuerValidation,
    version,
    distribution,
    uid,
  };
}

/** Namespace, scope and permissions of each bearer-token user. */
export function bearerTokenUserOutputs({ bearerTokenUsers }: Settings, { users }: Flows) {
  return Object.fromEntries(
    Object.entries(bearerTokenUsers).map(([name, { scope = "namespace", rules, clusterRole }]) => [
      name,
      { namespace: users[name]?.namespace, scope, ...(rules ? { rules } : { clusterRole }) },
    ]),
  );
}
