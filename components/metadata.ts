import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

type KubernetesObject = pulumi.CustomResource & {
  readonly metadata: pulumi.Output<k8s.types.output.meta.v1.ObjectMeta>;
};

/**
 * Metadata of an object; unknown, like the object's id, until the object exists. A preview of a new binding is a dry run at the API server,
 * which reads the role, and fails if the role does not exist yet.
 */
export function metadataOf({ id, metadata }: KubernetesObject): pulumi.Output<k8s.types.output.meta.v1.ObjectMeta> {
  return pulumi.all([id, metadata]).apply(([, known]) => known);
}
