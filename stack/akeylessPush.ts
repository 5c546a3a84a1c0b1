import * as pulumi from "@pulumi/pulumi";
import { AkeylessGateway } from "../components/akeyless/akeylessGateway.ts";
import type { StackAccess } from "./clusterAccess.ts";
import type { Settings } from "./settings/index.ts";

/** Brings what the stack has to Akeyless, if the settings ask for it and once the checks that come first have passed. */
export function pushToAkeyless(
  settings: Settings,
  access: StackAccess,
  opts: pulumi.ComponentResourceOptions,
): AkeylessGateway | undefined {
  const { push, gatewayUrl, authConfigName, accessId, signingKey } = settings.akeyless;
  if (push === undefined) return undefined;
  const { token, certificate, rancher, gatewayAccount } = access;
  const { audience, validateIssuer } = settings;
  const { gatewayApi, apiUrl, caPem, authMethod, roles, tokenExpiration, proofAccount } = push;
  const { certificateName, certificateItem, expiryNoticeDays } = push;
  const given = accessId && signingKey ? signingKey.apply((key) => ({ accessId, signingKey: key })) : undefined;
  const args = {
    gatewayApi,
    gatewayUrl,
    caPem,
    api: apiUrl ? { apiUrl, caPem } : {},
    authMethod: given ?? { name: "", ...authMethod, ...(audience && { audience }) },
    access: { token, certificate, rancher, gatewayAccount },
    authConfigName,
    validateIssuer,
    tokenExpiration,
    roles,
    ...(certificate &&
      expiryNoticeDays.length > 0 && {
        expiryNotice: {
          ...certificateItem,
          name: certificateName,
          days: expiryNoticeDays,
          certificatePem: pulumi.unsecret(certificate.apply(({ certificatePem }) => certificatePem)),
        },
      }),
    ...(proofAccount && { proof: { account: proofAccount, audience } }),
  };
  return new AkeylessGateway("akeyless", args, opts);
}
