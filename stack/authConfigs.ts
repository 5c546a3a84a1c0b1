import * as pulumi from "@pulumi/pulumi";
import type { AkeylessGateway } from "../components/akeyless/akeylessGateway.ts";
import { akeylessAuthConfigs } from "../components/akeyless/authConfigs.ts";
import { consulAuthMethodConfig, infisicalKubernetesAuth, vaultAuthConfig } from "../gateways/index.ts";
import type { StackAccess } from "./clusterAccess.ts";
import type { Settings } from "./settings/index.ts";

/** Auth configs by flow, then by product. Secret. */
export function authConfigOutputs(settings: Settings, access: StackAccess, pushed: AkeylessGateway | undefined) {
  const { token, certificate } = access;
  const akeyless = pushed?.authConfigs ?? formattedForAkeyless(settings, access);
  const vault = token?.apply(vaultAuthConfig);
  return pulumi.secret({
    ...(token && {
      token: {
        vault,
        openbao: vault,
        ...(settings.products.includes("consul") && { consul: token.apply(consulAuthMethodConfig) }),
        ...(settings.products.includes("infisical") && {
          infisical: token.apply((known) =>
            infisicalKubernetesAuth(known, { allowedNamespaces: [], allowedNames: [] }),
          ),
        }),
        ...(akeyless.token && { akeyless: akeyless.token }),
      },
    }),
    ...(certificate && { certificate: { ...(akeyless.certificate && { akeyless: akeyless.certificate }) } }),
    ...(akeyless.rancher && { rancher: { akeyless: akeyless.rancher } }),
    ...(akeyless.gatewayAccount && { gatewayAccount: { akeyless: akeyless.gatewayAccount } }),
  });
}

/** The auth configs for a user who brings them to the gateway. They need access id and signing key of the auth method. */
function formattedForAkeyless({ akeyless, validateIssuer }: Settings, access: StackAccess) {
  const { accessId, signingKey, authConfigName } = akeyless;
  if (accessId === undefined || signingKey === undefined) return {};
  const authMethod = signingKey.apply((key) => ({ accessId, signingKey: key }));
  return akeylessAuthConfigs(access, authMethod, { authConfigName, validateIssuer });
}
