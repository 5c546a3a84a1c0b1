import type { PlannedObject, ReservedName } from "../cluster.ts";
import { skipAwaitAnnotations } from "../metadata.ts";
import { type PodOptions, verifierPod, verifierPorts } from "./manifests.ts";

type Labels = Record<string, string>;

/** The number of the verifier's pods. */
export interface Replicas {
  /** With `maxReplicas` the smallest number. */
  readonly replicas: number;
  /** Largest number. If it is set, an autoscaler sets the number. */
  readonly maxReplicas?: number;
}

/** Labels of the verifier's objects, by which its pods are selected. */
export function verifierLabels(name: string): Labels {
  return { "app.kubernetes.io/name": name };
}

/** Names of the objects that a Verifier creates under fixed names, in a namespace with a fixed name. */
export function verifierNames(
  name: string,
  verifier: { readonly namespace?: string; readonly createNamespace: boolean; readonly maxReplicas?: number },
): ReservedName[] {
  const { namespace, createNamespace, maxReplicas } = verifier;
  if (!namespace) return [];
  const kinds = [
    ["v1", "ServiceAccount"],
    ["v1", "Service"],
    ["apps/v1", "Deployment"],
    ["policy/v1", "PodDisruptionBudget"],
    ["networking.k8s.io/v1", "NetworkPolicy"],
    ...(maxReplicas === undefined ? [] : [["autoscaling/v2", "HorizontalPodAutoscaler"] as const]),
  ] as const;
  return [
    ...(createNamespace ? [{ apiVersion: "v1", kind: "Namespace", name: namespace }] : []),
    ...kinds.map(([apiVersion, kind]) => ({ apiVersion, kind, namespace, name })),
  ];
}

export function deploymentSpec<Hash, Pod>(options: Replicas & { labels: Labels; hash: Hash; pod: Pod }) {
  const { labels, hash, pod, replicas, maxReplicas } = options;
  return {
    // An autoscaler owns the field.
    ...(maxReplicas === undefined && { replicas }),
    selector: { matchLabels: labels },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    template: { metadata: { labels, annotations: { "k8sauth.dev/config-hash": hash } }, spec: pod },
  };
}

export function serviceSpec(labels: Labels) {
  return { selector: labels, ports: [{ name: "http", port: verifierPorts.http, targetPort: "http" }] };
}

export function autoscalerSpec<Text>(deployment: Text, replicas: number, maxReplicas: number) {
  return {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: deployment },
    minReplicas: replicas,
    maxReplicas,
    metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }],
  };
}

export function budgetSpec(labels: Labels) {
  return { selector: { matchLabels: labels }, maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" };
}

/** Skips the wait for endpoints, which takes 10 s: the Deployment has ready pods already. */
export const serviceAnnotations = skipAwaitAnnotations;

export function deploymentMetadata<Metadata extends object>(metadata: Metadata, skipAwait = false) {
  return skipAwait ? { ...metadata, annotations: skipAwaitAnnotations } : metadata;
}

/**
 * Manifests of the objects that a Verifier creates under fixed names, except the NetworkPolicy, which depends on the cluster. The hash of
 * the ConfigMap is not known beforehand.
 */
export function verifierObjects(
  name: string,
  verifier: Omit<PodOptions, "labels" | "configMap" | "serviceAccount"> &
    Replicas & { readonly namespace: string; readonly skipAwait?: boolean },
): PlannedObject[] {
  const { namespace, replicas, maxReplicas, skipAwait } = verifier;
  const labels = verifierLabels(name);
  const metadata = { name, namespace, labels };
  const pod = verifierPod({ ...verifier, labels, configMap: name, serviceAccount: name });
  const spec = deploymentSpec({ labels, hash: "", pod, replicas, maxReplicas });
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata, automountServiceAccountToken: false },
    { apiVersion: "apps/v1", kind: "Deployment", metadata: deploymentMetadata(metadata, skipAwait), spec },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { ...metadata, annotations: serviceAnnotations },
      spec: serviceSpec(labels),
    },
    { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata, spec: budgetSpec(labels) },
    ...(maxReplicas === undefined
      ? []
      : [
          {
            apiVersion: "autoscaling/v2",
            kind: "HorizontalPodAutoscaler",
            metadata,
            spec: autoscalerSpec(name, replicas, maxReplicas),
          },
        ]),
  ];
}
