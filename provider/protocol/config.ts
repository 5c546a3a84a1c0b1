/** The configuration of a provider, as the engine passes it on. */
import type * as pb from "@pulumi/pulumi/proto/provider_pb.js";
import { diffResponse, toWire } from "./convert.ts";
import { same } from "./fields.ts";
import { decodeObject, type WireObject } from "./wire.ts";

/**
 * Other credentials update the provider and never replace it: a replacement would replace everything that is deployed with it. Which
 * cluster a stack belongs to is checked by Cluster. `offline` changes nothing that exists.
 */
export function diffConfig(request: pb.DiffRequest): pb.DiffResponse {
  const before = decodeObject(toWire(request.getOldInputs() ?? request.getOlds()));
  const after = decodeObject(toWire(request.getNews()));
  const changed = (["kubeconfig", "context"] as const).filter((name) => !same(before[name], after[name]));
  return diffResponse(Object.fromEntries(changed.map((name) => [name, "update"])), before);
}

/**
 * What a program passes to a provider. Pulumi offers the stack's settings of the package's name to the default provider. The project of
 * this repository has that name, and its settings are not the provider's: they are dropped, and so are kept out of the state.
 */
export function ownConfig(urn: string, config: WireObject): WireObject {
  const [, project, type, name = ""] = urn.replace(/^urn:pulumi:/, "").split("::");
  const byDefault = name === "default" || name.startsWith("default_");
  if (!byDefault || project !== type?.split(":").at(-1)) return config;
  return Object.fromEntries(Object.entries(config).filter(([key]) => isEngineKey(key)));
}

/** The configuration without what Pulumi keeps there for itself. */
export function settingsOf(config: WireObject): WireObject {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !isEngineKey(key)));
}

function isEngineKey(key: string): boolean {
  return key === "version" || key === "pluginDownloadURL" || key.startsWith("__");
}
