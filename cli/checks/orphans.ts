import type { Finding } from "../../kubernetes/finding.ts";
import { isKubeError, type KubeClient, type KubeObject, pathFor } from "../../kubernetes/index.ts";
import type { ExportedStack, ResourceState } from "../stack.ts";

/** The label that the components give to every Kubernetes object (components/labels.ts). */
const stackLabel = "k8sauth.dev/stack";

/** Every kind of object that the components create. */
const kinds = [
  ["v1", "Namespace"],
  ["v1", "ServiceAccount"],
  ["v1", "Secret"],
  ["v1", "ConfigMap"],
  ["v1", "Service"],
  ["apps/v1", "Deployment"],
  ["autoscaling/v2", "HorizontalPodAutoscaler"],
  ["policy/v1", "PodDisruptionBudget"],
  ["networking.k8s.io/v1", "NetworkPolicy"],
  ["rbac.authorization.k8s.io/v1", "ClusterRole"],
  ["rbac.authorization.k8s.io/v1", "ClusterRoleBinding"],
  ["rbac.authorization.k8s.io/v1", "Role"],
  ["rbac.authorization.k8s.io/v1", "RoleBinding"],
] as const;

/**
 * Looks for traces of a killed run: operations whose outcome is unknown, and objects with the stack's label that are not in its state. `holds`
 * is null if the client may not list every kind.
 */
export async function checkOrphans({ deployment }: ExportedStack, client: KubeClient): Promise<Finding[]> {
  const objects = (deployment.resources ?? []).filter(({ type }) => type.startsWith("kubernetes:"));
  const pending = deployment.pending_operations ?? [];
  const findings = [pendingFinding(pending.map(({ type, resource }) => `${type} ${shortType(resource)}`))];
  const stack = objects
    .map(({ inputs }) => inputs?.metadata?.labels?.[stackLabel])
    .find((label) => label !== undefined);
  if (typeof stack !== "string") return findings;
  const known = new Set(objects.map(({ inputs, id }) => `${inputs?.kind} ${id}`));
  const lists = await Promise.all(kinds.map(([apiVersion, kind]) => list(client, apiVersion, kind, stack)));
  const found = lists.flatMap((listed) => listed.names ?? []);
  const orphans = found.filter((name) => !known.has(name)).sort();
  const claim = `every object with the label ${stackLabel}=${stack} is in the stack's state`;
  const unseen = lists.filter(({ names }) => names === undefined).map(({ plural }) => plural);
  if (unseen.length > 0) {
    const seen = `could not look for orphaned objects: \`list\` is forbidden for ${unseen.join(", ")}`;
    findings.push({ claim, holds: null, seen });
  }
  if (orphans.length > 0) {
    findings.push({
      claim,
      holds: false,
      seen: `orphaned: ${orphans.join(", ")}; docs/state.md says how to remove them`,
    });
  } else if (unseen.length === 0) findings.push({ claim, holds: true, seen: `${found.length} objects` });
  return findings;
}

function pendingFinding(operations: readonly string[]): Finding {
  const claim = "no run of the stack was killed or is in progress";
  if (operations.length === 0) return { claim, holds: true, seen: "no pending operations" };
  const what = operations.join(", ");
  const remedy = "`pulumi cancel`, `pulumi up` and `pulumi refresh --clear-pending-creates`";
  return { claim, holds: false, seen: `pending: ${what}; if no run is in progress, run ${remedy}` };
}

function shortType({ type }: ResourceState): string {
  return type.split(":").at(-1) ?? type;
}

/** Names of the objects with the stack's label, as `Kind NAMESPACE/NAME`; undefined if listing is forbidden. */
async function list(client: KubeClient, apiVersion: string, kind: string, stack: string) {
  const path = pathFor(apiVersion, kind);
  const plural = path.split("/").at(-1) ?? kind;
  try {
    const query = { labelSelector: `${stackLabel}=${stack}` };
    const { items = [] } = await client.get<{ items?: KubeObject[] }>(path, { query });
    const names = items
      .filter(({ metadata }) => metadata?.deletionTimestamp === undefined)
      .map(({ metadata }) => `${kind} ${metadata?.namespace ? `${metadata.namespace}/` : ""}${metadata?.name}`);
    return { plural, names };
  } catch (error) {
    if (isKubeError(error, "KUBE_FORBIDDEN")) return { plural, names: undefined };
    throw error;
  }
}
