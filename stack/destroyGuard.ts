import * as pulumi from "@pulumi/pulumi";

/**
 * Creates a resource that depends on all others. If `protect` is true, Pulumi refuses `destroy` as a whole because of it.
 *
 * A destroy starts with the resources that no other depends on, and skips everything that a protected resource depends on. Without the guard,
 * a destroy without a preview (`--skip-preview`, Automation API) deletes unprotected resources, such as the token's Secret, before it fails.
 * The guard stays in the program while `protect` is false, because a resource that is removed from the program keeps its protection.
 */
export function guardDestroy(protect: boolean, created: readonly (pulumi.Resource | undefined)[]): void {
  const dependsOn = created.filter((resource) => resource !== undefined);
  new pulumi.ComponentResource("k8sauth:index:DestroyGuard", "guard-of-k8sauth-protect", {}, { protect, dependsOn });
}
