import * as pulumi from "@pulumi/pulumi";
import { inClusterContext, podKubeconfig } from "../kubernetes/kubeconfig/inCluster.ts";
import type { Settings } from "./settings/index.ts";

/**
 * The deployer's kubeconfig and context for `@pulumi/kubernetes`.
 *
 * If the kubeconfig is "", that plugin reads `KUBECONFIG` or `~/.kube/config` as kubectl does, and the state does not contain the content.
 * For `in-cluster`, the pod's ServiceAccount is passed as a kubeconfig. Without that, the plugin prefers any kubeconfig file that it finds.
 *
 * @throws RunError if the context is `in-cluster` and the program does not run in a pod
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
