import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { ReservedName } from "./cluster.ts";
import { reviewerRoles } from "./reviewerRole.ts";
import type { ReviewerRole } from "./rights.ts";

export interface GatewayAccountArgs {
  /** Of the ServiceAccount of the gateway's own pods, which exists. */
  readonly namespace: string;
  readonly serviceAccountName: string;
  /** As for a TokenReviewer. @default "tokenreviews" */
  readonly role?: ReviewerRole;
}

/** What must be there for a GatewayAccount. */
export function gatewayAccountObjects({ namespace, serviceAccountName }: GatewayAccountArgs): ReservedName[] {
  return [{ apiVersion: "v1", kind: "ServiceAccount", namespace, name: serviceAccountName }];
}

/**
 * Lets a gateway that runs in the cluster review tokens as its own ServiceAccount: no credential leaves the cluster. The account
 * is whoever's runs the gateway; only its binding is made here.
 */
export class GatewayAccount extends pulumi.ComponentResource {
  readonly binding: k8s.rbac.v1.ClusterRoleBinding;

  constructor(name: string, args: GatewayAccountArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:GatewayAccount", name, {}, opts);
    const { namespace, serviceAccountName } = args;
    const { "": role = "" } = reviewerRoles(name, args.role, [], { parent: this });
    this.binding = new k8s.rbac.v1.ClusterRoleBinding(
      name,
      {
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
        subjects: [{ kind: "ServiceAccount", name: serviceAccountName, namespace }],
      },
      // Another account gets another binding: the gateway's old one keeps its right until the new one has it.
      { parent: this, replaceOnChanges: ["subjects"] },
    );
    this.registerOutputs({ binding: this.binding.metadata.name });
  }
}
