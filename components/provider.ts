import * as pulumi from "@pulumi/pulumi";

export interface ProviderArgs {
  /** Kubeconfig of the deployer: a path or the content. Secret. @default `KUBECONFIG`, `~/.kube/config`, or the pod's own account */
  readonly kubeconfig?: pulumi.Input<string>;
  /** Context of the kubeconfig. @default the current context */
  readonly context?: pulumi.Input<string>;
  /**
   * Behaviour if the cluster of an existing resource cannot be reached. `fail`: preview, `pulumi up` and refresh fail, because drift
   * cannot be determined. `warn`: they continue with a warning. A new stack can be previewed without a cluster either way.
   *
   * @default "fail"
   */
  readonly offline?: pulumi.Input<"fail" | "warn">;
  /**
   * Names of inputs in errors and warnings, such as the names of the program's own settings. Keys are `TYPE.INPUT`, or
   * `PARENT$TYPE.INPUT` for children of a component, which have precedence. `{name}` in a value is the resource's name.
   *
   * @default the inputs' own names
   */
  readonly inputNames?: Readonly<Record<string, string>>;
}

/**
 * The deployer's access: the cluster in which the resources of this package are created, and the credentials for it. Pass it to components
 * together with a Kubernetes provider for the same cluster.
 *
 * Pulumi stores these values in the state. `refresh` and `destroy` read them from there, unless they run the program
 * (`--run-program`, or `PULUMI_RUN_PROGRAM=true` in the environment). A change updates the provider and replaces no resource.
 *
 * @example
 * const deployer = new Provider("cluster", { context: "prod" });
 * const target = new Cluster("cluster", {}, { provider: deployer });
 * const kubernetes = new k8s.Provider("cluster", { kubeconfig: "", context: "prod", clusterIdentifier: target.uid });
 * new TokenReviewer("reviewer", { cluster: target }, { providers: [kubernetes, deployer] });
 */
export class Provider extends pulumi.ProviderResource {
  constructor(name: string, args: ProviderArgs = {}, opts?: pulumi.ResourceOptions) {
    const kubeconfig = args.kubeconfig === undefined ? undefined : pulumi.secret(args.kubeconfig);
    super("k8sauth", name, { ...args, kubeconfig }, opts);
  }
}
