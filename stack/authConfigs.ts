import * as pulumi from "@pulumi/pulumi";
import type { AkeylessGateway } from "../components/akeyless/akeylessGateway.ts";
import { akeylessAuthConfigs } from "../components/akeyless/authConfigs.ts";
import type { Product } from "../components/products.ts";
import {
  consulAuthMethodConfig,
  infisicalKubernetesAuth,
  type TokenAccess,
  vaultAuthConfig,
} from "../gateways/index.ts";
import type { StackAccess } from "./clusterAccess.ts";
import type { Settings } from "./settings/index.ts";

/** Functions from access to auth config, by product; undefined for a product that reads a kubeconfig. */
const formatters: Readonly<Record<Product, ((access: TokenAccess) => object) | undefined>> = {
  consul: consulAuthMethodConfig,
  infisical: (access) => infisicalKubernetesAuth(access, { allowedNamespaces: [], allowedNames: [] }),
  spire: undefined,
};

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
        ...configsOf(settings.products, token),
        ...(akeyless.token && { akeyless: akeyless.token }),
      },
    }),
    ...(certificate && { certificate: { ...(akeyless.certificate && { akeyless: akeyless.certificate }) } }),
    ...(akeyless.rancher && { rancher: { akeyless: akeyless.rancher } }),
    ...(akeyless.gatewayAccount && { gatewayAccount: { akeyless: akeyless.gatewayAccount } }),
  });
}

/** The auth configs of the selected products that have one. */
function configsOf(products: readonly Product[], token: pulumi.Output<TokenAccess>) {
  return Object.fromEntries(
    products.flatMap((product) => {
      const format = formatters[product];
      return format ? [[product, token.apply(format)]] : [];
    }),
  );
}

/** The auth configs of a stack that does not push them. Empty unless the settings name access id and signing key of an auth method. */
function formattedForAkeyless({ akeyless, validateIssuer }: Settings, access: StackAccess) {
  const { accessId, signingKey, authConfigName } = akeyless;
  if (accessId === undefined || signingKey === undefined) return {};
  const authMethod = signingKey.apply((key) => ({ accessId, signingKey: key }));
  return akeylessAuthConfigs(access, authMethod, { authConfigName, validateIssuer });
}
