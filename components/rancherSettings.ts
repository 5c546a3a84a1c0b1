import * as pulumi from "@pulumi/pulumi";
import { rancherCluster, rancherKey, rancherRoot } from "../gateways/index.ts";
import type { SettingsReader } from "./settingsReader.ts";

/** What the stack's settings say of a Rancher server that leads to the cluster; undefined without one. */
export interface RancherSettings {
  readonly server: string;
  readonly caPem?: string;
  readonly caPin?: string;
  readonly apiKey: pulumi.Output<string>;
  readonly clusterId: string;
}

export const rancherKeys = ["rancherUrl", "rancherCa", "rancherCaPin", "rancherApiKey", "rancherClusterId"] as const;
type Key = (typeof rancherKeys)[number];

const parts = { rancherUrl: rancherRoot, rancherApiKey: rancherKey, rancherClusterId: rancherCluster } as const;

/** Reads the settings of Rancher: URL, API key and cluster id belong together. */
export function readRancher(read: SettingsReader<Key>): RancherSettings | undefined {
  const caPem = read.text("rancherCa");
  const caPin = read.text("rancherCaPin");
  if (caPem && caPin) read.refuse("rancherCa", "and k8sauth:rancherCaPin are ways to one CA; choose one");
  const [server, apiKey, clusterId] = (["rancherUrl", "rancherApiKey", "rancherClusterId"] as const).map((key) =>
    read.fitted(key, parts[key]),
  );
  const given = rancherKeys.filter((key) => read.text(key) !== undefined);
  if (given.length === 0) return undefined;
  const missing = (Object.keys(parts) as Key[]).filter((key) => !given.includes(key));
  for (const key of missing) read.refuse(key, `is missing beside k8sauth:${given[0]}`);
  return apiKey && server && clusterId ? { server, caPem, caPin, apiKey: pulumi.secret(apiKey), clusterId } : undefined;
}
