import * as pulumi from "@pulumi/pulumi";
import {
  akeylessTokenAuthConfig,
  akeylessWorkloadLogin,
  projectedToken,
  type TokenAccess,
  vaultAuthConfig,
} from "../gateways/index.ts";
import type { Cluster } from "./cluster.ts";
import type { Settings } from "./settings.ts";
import type { TokenReviewer } from "./tokenReviewer.ts";

/** The stack outputs that gateways and workloads read. */
export function authConfigOutputs(settings: Settings, cluster: Cluster, reviewer: TokenReviewer) {
  const { akeyless, validateIssuer } = settings;
  const audience = settings.audience ?? "";
  const notes: string[] = [];
  const clusterAccess = pulumi.secret(
    pulumi
      .all([cluster.host, cluster.caPem, reviewer.token.token, reviewer.token.issuer])
      .apply(([host, caPem, token, issuer]): TokenAccess => ({ host, caPem, token, issuer, audience })),
  );

  const { accessId, signingKey, gatewayUrl, authConfigName } = akeyless;
  if (!accessId) notes.push("authConfigs.token.akeyless is absent: k8sauth:akeylessAccessId is not set.");
  else if (!signingKey) notes.push("authConfigs.token.akeyless is absent: k8sauth:akeylessSigningKey is not set.");
  if (accessId && !gatewayUrl) notes.push("workloadLogin.akeyless is absent: k8sauth:akeylessGatewayUrl is not set.");
  const vault = clusterAccess.apply(vaultAuthConfig);
  const token = {
    vault,
    openbao: vault,
    ...(accessId &&
      signingKey && {
        akeyless: pulumi
          .all([clusterAccess, signingKey])
          .apply(([access, key]) =>
            akeylessTokenAuthConfig(access, { accessId, signingKey: key }, { name: authConfigName, validateIssuer }),
          ),
      }),
  };

  return {
    clusterAccess,
    authConfigs: pulumi.secret({ token }),
    workloadLogin: {
      token: projectedToken(audience),
      ...(accessId &&
        gatewayUrl && { akeyless: akeylessWorkloadLogin({ accessId, gatewayUrl, authConfigName, audience }) }),
    },
    notes,
  };
}
