import { readFileSync } from "node:fs";
import { parse } from "yaml";

interface Entry {
  name: string;
  cluster: Record<string, string>;
  user: Record<string, unknown>;
}

interface Kubeconfig {
  readonly clusters: [Entry];
  readonly users: [Entry];
}

/** The content of a kubeconfig with one cluster and user, and with changed fields. A field that is undefined is removed. */
export function changedKubeconfig(
  file: string,
  change: { readonly cluster?: Record<string, string | undefined>; readonly user?: Record<string, unknown> },
): string {
  const config = parse(readFileSync(file, "utf8")) as Kubeconfig;
  Object.assign(config.clusters[0].cluster, change.cluster);
  if (change.user) config.users[0].user = change.user;
  return JSON.stringify(config);
}
