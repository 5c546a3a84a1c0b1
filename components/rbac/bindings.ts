import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { rbacGroup } from "./rules.ts";

/** A ServiceAccount as the subject of a binding. */
export function serviceAccountSubject(name: pulumi.Input<string>, namespace: pulumi.Input<string>) {
  return { kind: "ServiceAccount", name, namespace };
}

/** A ClusterRole as the role of a binding. */
export function clusterRoleRef(name: pulumi.Input<string>) {
  return { apiGroup: rbacGroup, kind: "ClusterRole", name };
}

/** Option of a binding with a generated name. For another subject the binding is replaced: the old one is deleted after the new one exists. */
export const replaceWithSubject = { replaceOnChanges: ["subjects"] };

/** Binds a subject to a ClusterRole in the whole cluster. */
export function bindClusterRole(
  name: string,
  role: pulumi.Input<string>,
  subject: k8s.types.input.rbac.v1.Subject,
  opts: pulumi.CustomResourceOptions,
  metadata: k8s.types.input.meta.v1.ObjectMeta = {},
): k8s.rbac.v1.ClusterRoleBinding {
  const args = { metadata, roleRef: clusterRoleRef(role), subjects: [subject] };
  return new k8s.rbac.v1.ClusterRoleBinding(name, args, opts);
}
