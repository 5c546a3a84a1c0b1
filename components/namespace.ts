import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

/** Creates the namespace of a component, or returns the name of an existing one. */
export function componentNamespace(
  name: string,
  options: { readonly namespace?: pulumi.Input<string>; readonly createNamespace: boolean },
  component: pulumi.ComponentResource,
): pulumi.Output<string> {
  const { namespace, createNamespace } = options;
  if (!createNamespace) {
    if (namespace) return pulumi.output(namespace);
    throw new pulumi.ResourceError(
      "namespace: set the name of an existing namespace, or set createNamespace to true.",
      component,
    );
  }
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  const metadata = { ...(namespace && { name: namespace }), labels };
  return new k8s.core.v1.Namespace(name, { metadata }, { parent: component }).metadata.name;
}
