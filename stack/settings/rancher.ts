import type * as pulumi from "@pulumi/pulumi";
import { rancherApiKey, rancherClusterId, rancherServerUrl } from "../../gateways/index.ts";
import type { Refuse } from "./read.ts";
import { parsedBy, secretText, text, type Values } from "./setting.ts";

/** A Rancher server in front of the cluster, for the auth config of Akeyless with `cluster-api-type: rancher`. */
export const rancherSettings = {
  rancherUrl: text(
    {
      inputs: ["RancherKey.server"],
      unset: "none",
      description: "Root URL of the Rancher server. `rancherApiKey` and `rancherClusterId` belong to it.",
    },
    parsedBy(rancherServerUrl),
  ),
  rancherApiKey: secretText(
    {
      inputs: ["RancherKey.apiKey"],
      unset: "none",
      description:
        "Bearer token (`NAME:SECRET`) of an API key of a Rancher user who may create TokenReviews in the cluster.",
    },
    parsedBy(rancherApiKey),
  ),
  rancherClusterId: text(
    {
      inputs: ["RancherKey.clusterId"],
      unset: "none",
      description: "Id of the cluster in Rancher (`c-…`, `c-m-…`, `local`); the API key's scope, if it has one.",
    },
    parsedBy(rancherClusterId),
  ),
  rancherCa: text({
    inputs: ["RancherKey.caPem"],
    unset: "public CAs",
    description: "CA certificates of the Rancher server (not of the cluster), PEM.",
  }),
  rancherCaPin: text({
    inputs: ["RancherKey.caPin"],
    unset: "none",
    description:
      "Rancher's checksum of `cacerts`, or the SHA-256 of the CA certificate or of its public key. The CA is then read from the Rancher server itself.",
  }),
} as const;

/** The settings of a Rancher server. */
export interface RancherSettings {
  readonly server: string;
  readonly caPem?: string;
  readonly caPin?: string;
  readonly apiKey: pulumi.Output<string>;
  readonly clusterId: string;
}

/** Converts the settings of Rancher: all of URL, API key and cluster id, or none. Undefined without a Rancher server. */
export function rancherOf(values: Values<typeof rancherSettings>, refuse: Refuse): RancherSettings | undefined {
  const { rancherUrl: server, rancherApiKey: apiKey, rancherClusterId: clusterId, rancherCa, rancherCaPin } = values;
  if (rancherCa && rancherCaPin) {
    refuse(["rancherCa", "rancherCaPin"], "contradicts k8sauth:rancherCaPin. Set one of them");
  }
  const names = Object.keys(rancherSettings) as (keyof typeof rancherSettings)[];
  const setKey = names.find((name) => values[name] !== undefined);
  if (setKey === undefined) return undefined;
  if (server && apiKey && clusterId) return { server, caPem: rancherCa, caPin: rancherCaPin, apiKey, clusterId };
  for (const key of ["rancherUrl", "rancherApiKey", "rancherClusterId"] as const) {
    if (values[key] === undefined) refuse([key], `is not set, but k8sauth:${setKey} is`);
  }
  return undefined;
}
