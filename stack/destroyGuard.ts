import * as pulumi from "@pulumi/pulumi";

/**
 * Makes Pulumi refuse `destroy` as a whole if `protect` is true.
 *
 * A destroy starts with the resources that no other depends on, and skips everything that a protected resource depends on. This one
 * depends on all others. Without it, a destroy without a preview (`--skip-preview`, Automation API) deletes what is not protected, such as
 * the token's Secret, before it fails. It stays while the setting is false: a resource that leaves the program keeps its
 * protection.
 */
export function guardDestroy(protect: boolean, created: readonly (pulumi.Resource | undefined)[]): void {
  const dependsOn = created.filter((resource) => resource !== undefined);
  new pulumi.ComponentResource("k8sauth:index:DestroyGuard", "destroy-guard", {}, { protect, dependsOn });
}
