import * as pulumi from "@pulumi/pulumi";
import { inClusterContext, podKubeconfig } from "../kubernetes/kubeconfig/inCluster.ts";
import type { Settings } from "./settings/index.ts";

/**
 * The deployer, as `@pulumi/kubernetes` takes it. An empty kubeconfig makes its plugin read `$KUBECONFIG` or `~/.kube/config` as kubectl
 * does, and keeps that out of the state. The pod's account is written as a kubeconfig: by itself the plugin prefers any file that it finds.
 */
export function kubernetesDeployer({ kubeconfig, context }: Pick<Settings, "kubeconfig" | "context">): {
  readonly kubeconfig: pulumi.Input<string>;
  readonly context?: string;
} {
  if (context !== inClusterContext) return { kubeconfig: kubeconfig ?? "", context };
  const ofPod = podKubeconfig(process.env);
  if (ofPod !== undefined) return { kubeconfig: ofPod };
  throw new pulumi.RunError(
    `k8sauth:context is ${inClusterContext}, but Pulumi does not run in a pod with a ServiceAccount. Run it there, or name a context of a kubeconfig.`,
  );
}
