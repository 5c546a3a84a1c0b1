import * as pulumi from "@pulumi/pulumi";
import { AkeylessGateway } from "../components/akeyless/akeylessGateway.ts";
import type { StackAccess } from "./clusterAccess.ts";
import type { Settings } from "./settings/index.ts";

/** Creates auth method, auth configs, expiry notice and roles at Akeyless. Undefined without `akeylessPush`. */
export function pushToAkeyless(
  settings: Settings,
  access: StackAccess,
  opts: pulumi.ComponentResourceOptions,
): AkeylessGateway | undefined {
  const { push, gatewayUrl, authConfigName, accessId, signingKey } = settings.akeyless;
  if (push === undefined) return undefined;
  const { audience, validateIssuer } = settings;
  const { certificate } = access;
  const { gatewayApi, apiUrl, caPem, authMethod, roles, tokenExpiration, proofAccount } = push;
  const { certificateName, certificateItem, expiryNoticeDays } = push;
  const existing = accessId && signingKey ? signingKey.apply((key) => ({ accessId, signingKey: key })) : undefined;
  const args = {
    gatewayApi,
    gatewayUrl,
    caPem,
    api: apiUrl ? { apiUrl, caPem } : {},
    authMethod: existing ?? { name: "", ...authMethod, ...(audience && { audience }) },
    access,
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
