import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { ReservedName } from "./cluster.ts";
import { labelled } from "./labels.ts";
import { bindClusterRole, replaceWithSubject, serviceAccountSubject } from "./rbac/bindings.ts";
import type { ReviewerRole } from "./rbac/deployerPermissions.ts";
import { reviewerRoles } from "./rbac/reviewerRole.ts";

export interface GatewayAccountArgs {
  /** Namespace of the gateway's ServiceAccount. */
  readonly namespace: string;
  /** Name of the gateway's ServiceAccount, which must exist. */
  readonly serviceAccountName: string;
  /** Role of the ServiceAccount, as for a TokenReviewer. @default "tokenreviews" */
  readonly role?: ReviewerRole;
}

/** Objects that a GatewayAccount requires. */
export function gatewayAccountObjects({ namespace, serviceAccountName }: GatewayAccountArgs): ReservedName[] {
  return [{ apiVersion: "v1", kind: "ServiceAccount", namespace, name: serviceAccountName }];
}

/**
 * Permission to create TokenReviews for the ServiceAccount of a gateway that runs in the cluster. No credential leaves the cluster. The
 * component creates the role and the binding.
 *
 * @example
 * const args = { namespace: "akeyless", serviceAccountName: "akeyless-gateway" };
 * new GatewayAccount("gateway", args, { providers: [kubernetes, deployer] });
 */
export class GatewayAccount extends pulumi.ComponentResource {
  /** Binding of the ServiceAccount to its role. */
  readonly binding: k8s.rbac.v1.ClusterRoleBinding;

  constructor(name: string, args: GatewayAccountArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:GatewayAccount", name, args, labelled(opts));
    const { namespace, serviceAccountName } = args;
    const { "": role = "" } = reviewerRoles(name, args.role, [], { parent: this });
    const subject = serviceAccountSubject(serviceAccountName, namespace);
    this.binding = bindClusterRole(name, role, subject, { ...replaceWithSubject, parent: this });
    this.registerOutputs({ binding: this.binding });
  }
}
