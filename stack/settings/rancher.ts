import type * as pulumi from "@pulumi/pulumi";
import { rancherCluster, rancherKey, rancherRoot } from "../../gateways/index.ts";
import type { Refuse } from "./read.ts";
import { parsedBy, secretText, text, type Values } from "./setting.ts";

/** A Rancher server in front of the cluster, for Akeyless' auth config of that kind. */
export const rancherSettings = {
  rancherUrl: text(
    {
      inputs: ["RancherKey.server"],
      unset: "none",
      description: "Root URL of the Rancher server. `rancherApiKey` and `rancherClusterId` belong to it.",
    },
    parsedBy(rancherRoot),
  ),
  rancherApiKey: secretText(
    {
      inputs: ["RancherKey.apiKey"],
      unset: "none",
      description:
        "Bearer token (`NAME:SECRET`) of an API key of a Rancher user who may create TokenReviews in the cluster.",
    },
    parsedBy(rancherKey),
  ),
  rancherClusterId: text(
    {
      inputs: ["RancherKey.clusterId"],
      unset: "none",
      description: "Id of the cluster in Rancher (`c-…`, `c-m-…`, `local`); the API key's scope, if it has one.",
    },
    parsedBy(rancherCluster),
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

/** A Rancher server that leads to the cluster. */
export interface RancherSettings {
  readonly server: string;
  readonly caPem?: string;
  readonly caPin?: string;
  readonly apiKey: pulumi.Output<string>;
  readonly clusterId: string;
}

/** Undefined without a Rancher server. URL, API key and cluster id belong together. */
export function rancherOf(values: Values<typeof rancherSettings>, refuse: Refuse): RancherSettings | undefined {
  const { rancherUrl: server, rancherApiKey: apiKey, rancherClusterId: clusterId, rancherCa, rancherCaPin } = values;
  if (rancherCa && rancherCaPin) {
    refuse(["rancherCa", "rancherCaPin"], "contradicts k8sauth:rancherCaPin. Set one of them");
  }
  const [given] = Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  if (given === undefined) return undefined;
  if (server && apiKey && clusterId) return { server, caPem: rancherCa, caPin: rancherCaPin, apiKey, clusterId };
  for (const key of ["rancherUrl", "rancherApiKey", "rancherClusterId"] as const) {
    if (values[key] === undefined) refuse([key], `is not set, but k8sauth:${given} is`);
  }
  return undefined;
}
