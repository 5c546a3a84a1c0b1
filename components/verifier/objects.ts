import type { PlannedObject } from "../cluster.ts";
import { type PodOptions, verifierPod, verifierPorts } from "./manifests.ts";

type Labels = Record<string, string>;

/** The number of the verifier's pods. */
export interface Replicas {
  /** With `maxReplicas` the least number. */
  readonly replicas: number;
  /** If it is set, an autoscaler sets the number. */
  readonly maxReplicas?: number;
}

/** Labels of the verifier's objects, by which its pods are selected. */
export function verifierLabels(name: string): Labels {
  return { "app.kubernetes.io/name": name };
}

export function deploymentSpec<Hash, Pod>(options: Replicas & { labels: Labels; hash: Hash; pod: Pod }) {
  const { labels, hash, pod, replicas, maxReplicas } = options;
  return {
    // The autoscaler's, where there is one.
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

/** The Deployment has pods that are ready by then. Pulumi would watch the endpoints for 10 s more. */
export const serviceAnnotations = { "pulumi.com/skipAwait": "true" };

/**
 * Manifests of the objects that a Verifier creates under fixed names, but for the network policy, which depends on the cluster. The
 * ConfigMap and its hash are not known beforehand.
 */
export function verifierObjects(
  name: string,
  verifier: Omit<PodOptions, "labels" | "configMap" | "serviceAccount"> & Replicas & { readonly namespace: string },
): PlannedObject[] {
  const { namespace, replicas, maxReplicas } = verifier;
  const labels = verifierLabels(name);
  const metadata = { name, namespace, labels };
  const pod = verifierPod({ ...verifier, labels, configMap: name, serviceAccount: name });
  const spec = deploymentSpec({ labels, hash: "", pod, replicas, maxReplicas });
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata, automountServiceAccountToken: false },
    { apiVersion: "apps/v1", kind: "Deployment", metadata, spec },
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
