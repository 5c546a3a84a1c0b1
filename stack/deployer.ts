import * as pulumi from "@pulumi/pulumi";
import { inClusterContext, podKubeconfig } from "../kubernetes/kubeconfig/inCluster.ts";
import type { Settings } from "./settings/index.ts";

/**
 * The deployer's kubeconfig and context for `@pulumi/kubernetes`.
 *
 * If the kubeconfig is "", that plugin reads `KUBECONFIG` or `~/.kube/config` as kubectl does, and the state does not contain the content.
 * The pod's ServiceAccount is passed as a kubeconfig, because the plugin by itself prefers any kubeconfig file that it finds.
 */
export function kubernetesProviderArgs({ kubeconfig, context }: Pick<Settings, "kubeconfig" | "context">): {
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
