import * as pulumi from "@pulumi/pulumi";
import { AkeylessGateway } from "./akeylessGateway.ts";
import type { StackAccess } from "./clusterAccess.ts";
import type { Settings } from "./settings.ts";

/** Brings what the stack has to Akeyless, if the settings ask for it and once the checks that come first have passed. */
export function pushToAkeyless(
  settings: Settings,
  access: StackAccess,
  checks: pulumi.Resource[],
): AkeylessGateway | undefined {
  const { push, authConfigName, accessId, signingKey } = settings.akeyless;
  if (push === undefined) return undefined;
  const { token, certificate, rancher, gatewayAccount } = access;
  const { audience, kubeconfig, context, validateIssuer } = settings;
  const { gatewayApi, apiUrl, caPem, authMethod, roles, certificateName, expiryNoticeDays, proofAccount } = push;
  const given = accessId && signingKey ? signingKey.apply((key) => ({ accessId, signingKey: key })) : undefined;
  const args = {
    gatewayApi,
    caPem,
    api: apiUrl ? { apiUrl, caPem } : {},
    authMethod: given ?? { name: "", ...authMethod, ...(audience && { audience }) },
    access: { token, certificate, rancher, gatewayAccount },
    authConfigName,
    validateIssuer,
    roles,
    ...(certificate &&
      expiryNoticeDays.length > 0 && {
        expiryNotice: {
          name: certificateName,
          days: expiryNoticeDays,
          certificatePem: pulumi.unsecret(certificate.apply(({ certificatePem }) => certificatePem)),
        },
      }),
    ...(proofAccount && { proof: { account: proofAccount, audience, kubeconfig, context } }),
  };
  return new AkeylessGateway("akeyless", args, { dependsOn: checks });
}
