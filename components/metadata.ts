import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

type KubernetesObject = pulumi.CustomResource & {
  readonly metadata: pulumi.Output<k8s.types.output.meta.v1.ObjectMeta>;
};

/** With this annotation, Pulumi's Kubernetes plugin does not wait until the object works. */
export const skipAwaitAnnotations = { "pulumi.com/skipAwait": "true" };

/**
 * Metadata of an object. Like its id, they are unknown until the object exists. Otherwise the preview of a new binding would fail: it is a dry
 * run at the API server, which reads the role, and the role does not exist yet.
 */
export function metadataOf({ id, metadata }: KubernetesObject): pulumi.Output<k8s.types.output.meta.v1.ObjectMeta> {
  return pulumi.all([id, metadata]).apply(([, known]) => known);
}
