import type * as pulumi from "@pulumi/pulumi";
import * as v from "valibot";
import { akeylessAccessId, akeylessSigningKey } from "../../gateways/index.ts";
import { type AkeylessPushSettings, akeylessPushOf, akeylessPushSettings } from "./akeylessPush.ts";
import type { Refuse } from "./read.ts";
import { account, flag, parsedBy, secretText, text, type Values } from "./setting.ts";

/** Akeyless: its gateway, its auth method, and the objects that are pushed to it. */
export const akeylessSettings = {
  akeylessGatewayUrl: text(
    {
      unset: "none",
      description:
        "URL of the Akeyless Gateway's Configuration Manager (port 8000, with its path). Workloads pass it when they log in.",
    },
    v.transform((value) => value.replace(/\/+$/, "")),
  ),
  akeylessAuthConfigName: text({
    default: "k8s-conf",
    description:
      "Name of the gateway's auth config of the token flow, which workloads pass when they log in. Configs of the other flows always have a suffix: `-certificate`, `-rancher`, `-gateway-account`.",
  }),
  akeylessAccessId: text(
    {
      unset: "with `akeylessPush`, that of a created auth method",
      description: "Access id of the Akeyless auth method.",
    },
    parsedBy(akeylessAccessId),
  ),
  akeylessSigningKey: secretText(
    { unset: "none", description: "Private key of that auth method (`prv_key`, base64)." },
    parsedBy(akeylessSigningKey),
  ),
  akeylessGatewayAccount: text(
    {
      unset: "none",
      description:
        "`NAMESPACE/NAME` of the ServiceAccount of a gateway that runs in the cluster. It is bound to the reviewer's role, and an auth config makes the gateway review as this account.",
    },
    account,
  ),
  akeylessPush: flag({
    default: false,
    description:
      "Creates auth method, auth configs, expiry notice and roles at Akeyless. The [credentials](akeyless.md#credentials-of-the-deployer) come from the environment only, such as `AKEYLESS_ACCESS_ID` and `AKEYLESS_ACCESS_KEY`, or `AKEYLESS_AUTH_TOKEN`.",
  }),
  ...akeylessPushSettings,
} as const;

/** The converted settings of Akeyless. */
export interface AkeylessSettings {
  readonly gatewayUrl?: string;
  readonly authConfigName: string;
  readonly accessId?: string;
  readonly signingKey?: pulumi.Output<string>;
  /** ServiceAccount of a gateway that runs in the cluster. */
  readonly gatewayAccount?: { readonly namespace: string; readonly serviceAccountName: string };
  /** Undefined without `akeylessPush`. */
  readonly push?: AkeylessPushSettings;
}

/** Converts the settings of Akeyless and refuses contradictions. */
export function akeylessOf(values: Values<typeof akeylessSettings>, stack: string, refuse: Refuse): AkeylessSettings {
  const { akeylessAccessId: accessId, akeylessSigningKey: signingKey, akeylessGatewayAccount } = values;
  if (signingKey && !accessId) {
    refuse(["akeylessSigningKey", "akeylessAccessId"], "is set, but k8sauth:akeylessAccessId is not");
  }
  const [namespace, serviceAccountName] = akeylessGatewayAccount?.split("/") ?? [];
  return {
    gatewayUrl: values.akeylessGatewayUrl,
    authConfigName: values.akeylessAuthConfigName,
    accessId,
    signingKey,
    gatewayAccount: namespace && serviceAccountName ? { namespace, serviceAccountName } : undefined,
    push: values.akeylessPush ? akeylessPushOf(values, stack, refuse) : undefined,
  };
}
