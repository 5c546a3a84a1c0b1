import { join } from "node:path";
import type { Value } from "../../engine/index.ts";
import { loadProject } from "../../engine/project.ts";
import { StackSettings } from "../../engine/settings.ts";
import type { Cluster, FleetList } from "./list.ts";

/** The settings file of a cluster's stack. */
export function settingsFile({ settingsFolder }: FleetList, { stack }: Cluster): string {
  return join(settingsFolder, `Pulumi.${stack}.yaml`);
}

/**
 * Brings the list's settings into a stack's file. What stands there in clear comes from the list alone; settings that
 * are encrypted, and those of other namespaces, stay as they are. Nothing is written where nothing differs.
 */
export async function writeSettings(list: FleetList, cluster: Cluster): Promise<void> {
  const { name: project } = await loadProject(list.program);
  const settings = await StackSettings.load(settingsFile(list, cluster));
  const wanted = new Map(Object.entries(cluster.settings).map(([key, value]) => [`${project}:${key}`, value]));
  let changed = false;
  for (const [key, value] of Object.entries(settings.config)) {
    if (!key.startsWith(`${project}:`) || wanted.has(key) || isSecure(value)) continue;
    settings.removeConfig(key);
    changed = true;
  }
  const present = settings.config;
  for (const [key, value] of wanted) {
    if (JSON.stringify(present[key]) === JSON.stringify(value)) continue;
    settings.setConfig(key, value);
    changed = true;
  }
  if (changed) await settings.save();
}

function isSecure(value: Value | undefined): boolean {
  return typeof value === "object" && value !== null && "secure" in value;
}
