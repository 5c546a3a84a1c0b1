import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../cluster.ts";
import { inputsOf } from "../inputs.ts";
import { labelled } from "../labels.ts";
import { metadataOf } from "../metadata.ts";
import { componentNamespace } from "../namespace.ts";
import { bindClusterRole, replaceWithSubject, serviceAccountSubject } from "../rbac/bindings.ts";
import { verifierConfigProblem } from "./configProblem.ts";
import { defaultVerifierImage, imageProblem } from "./image.ts";
import {
  callerToken,
  type ProgramFiles,
  resourcesProblem,
  type VerifierMode,
  type VerifierResources,
  type VerifierSettings,
  verifierFiles,
  verifierPod,
  verifierPorts,
  verifierRules,
} from "./manifests.ts";
import { type Callers, cidrsProblem, verifierNetwork } from "./network.ts";
import {
  autoscalerSpec,
  budgetSpec,
  deploymentMetadata,
  deploymentSpec,
  serviceAnnotations,
  serviceSpec,
  verifierLabels,
} from "./objects.ts";

export interface VerifierArgs {
  /** The checked cluster. The verifier trusts its issuer and keys. */
  readonly cluster: Cluster;
  /** Audiences of the tokens that callers present: at least one, and not an audience of the API server. */
  readonly audiences: readonly [string, ...string[]];
  /**
   * How tokens are verified. `hybrid`: signature and claims, then a TokenReview; forged tokens do not reach the API server, and tokens of
   * deleted accounts and pods are rejected. `tokenreview`: a TokenReview alone. `oidc-discovery`: the issuer's published keys. `jwt-pubkey`:
   * fixed keys.
   *
   * @default "hybrid"
   */
  readonly mode?: VerifierMode;
  /**
   * Accepted callers: `NAMESPACE/SERVICEACCOUNT[/POD]` with `*` and `?`. Unset it if `settings` has several `issuers`, each of which has its own
   * `allow`.
   *
   * @default every ServiceAccount
   */
  readonly allow?: readonly string[];
  /** Public keys for `jwt-pubkey`: PEM keys or certificates, or a JSON Web Key Set as JSON. @default those of the cluster */
  readonly publicKeys?: pulumi.Input<string>;
  /** Namespace of the verifier. @default a new namespace with a generated name */
  readonly namespace?: pulumi.Input<string>;
  /** Creates the namespace, with the label `pod-security.kubernetes.io/enforce: restricted`. If false, it must exist. @default true */
  readonly createNamespace?: boolean;
  /**
   * Image whose entry point is Node.js 24, or one that contains the verifier (`selfContainedImage`). Pin it by digest.
   *
   * @default the tag of Google's distroless Node.js 24 image
   */
  readonly image?: string;
  /** Whether `image` contains the verifier, like an image that is built from verifier/Dockerfile. @default false */
  readonly selfContainedImage?: boolean;
  /** Number of pods; with `maxReplicas` the smallest number. @default 2 */
  readonly replicas?: number;
  /**
   * Largest number of pods. A HorizontalPodAutoscaler then sets the number, with 80 % of the requested CPU time as its target. It needs the
   * cluster's metrics server.
   *
   * @default as many as `replicas`
   */
  readonly maxReplicas?: number;
  /**
   * If true, an `up` does not wait until the pods are ready, so pods that do not start fail no `up`. Otherwise it waits for 10 minutes at most.
   *
   * @default false
   */
  readonly skipAwait?: boolean;
  /** CPU time and memory of each pod. @default see VerifierResources */
  readonly resources?: VerifierResources;
  /**
   * If false, the pods run in their own user namespace: a process that escapes its container has no permissions on the node. Requires
   * Kubernetes 1.33, or the feature gate UserNamespacesSupport, and a node that supports it.
   *
   * @default unset: the users of the node
   */
  readonly hostUsers?: boolean;
  /**
   * Networks that the pods may connect to, in CIDR notation: those of the API server, of issuers and of a proxy. DNS is always allowed.
   *
   * @default every address, on the ports 443, 6443 and the port of the API server
   */
  readonly egressCidrs?: readonly string[];
  /** Pods that may call the verifier (NetworkPolicy). @default pods of every namespace */
  readonly callers?: readonly Callers[];
  /** Pods that may read its metrics on port 8081 (NetworkPolicy). @default none */
  readonly monitoring?: readonly Callers[];
  /**
   * Name of a Secret of type `kubernetes.io/tls` in the verifier's namespace, such as one that cert-manager maintains. The verifier serves TLS
   * with it and reloads it without a restart. The certificate must be valid for `NAME.NAMESPACE.svc`.
   *
   * @default plain HTTP
   */
  readonly tlsSecret?: string;
  /** PriorityClass of the pods. @default none */
  readonly priorityClassName?: string;
  /**
   * Further settings of the verifier, by their names in `--help`: `issuers` (with an entry for the cluster itself, and `allow` in each),
   * `reviewOutage`, `reviewCacheSeconds`, `logLevel` and others.
   *
   * @default {}
   */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/**
 * The verifier: a service that identifies the callers of other services. Its program is one readable file in an immutable ConfigMap, on a stock
 * Node.js image.
 *
 * @example
 * const verifier = new Verifier("verifier", { cluster, audiences: ["orders"] }, { providers: [kubernetes, deployer] });
 * export const url = verifier.url;
 */
export class Verifier extends pulumi.ComponentResource {
  /** Namespace of the verifier. */
  readonly namespace: pulumi.Output<string>;
  /** `http://NAME.NAMESPACE.svc:8080`, or https with `tlsSecret`. Services send the caller's token there in its Authorization header. */
  readonly url: pulumi.Output<string>;
  /** How tokens are verified. */
  readonly mode: VerifierMode;
  /** The image of the pods. */
  readonly image: string;
  /** By audience: the volume that a caller mounts, and the path of its token. */
  readonly callers: Readonly<Record<string, ReturnType<typeof callerToken>>>;

  constructor(name: string, args: VerifierArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:Verifier", name, inputsOf(args, "cluster"), labelled(opts));
    this.#checkArgs(args);
    const child = { parent: this };
    const { mode = "hybrid", image = defaultVerifierImage, audiences, tlsSecret, createNamespace = true } = args;
    const { callers = [{}], monitoring = [], replicas = 2, maxReplicas, skipAwait, egressCidrs } = args;
    this.mode = mode;
    this.image = image;
    this.callers = Object.fromEntries(audiences.map((audience) => [audience, callerToken(audience)]));
    this.namespace = componentNamespace(name, { ...args, createNamespace }, this);
    const labels = verifierLabels(name);
    const metadata = { name, namespace: this.namespace, labels };

    const account = new k8s.core.v1.ServiceAccount(name, { metadata, automountServiceAccountToken: false }, child);
    const granted = this.#grant(name, mode, account);
    const { config, hash } = this.#config(name, args, labels);
    const { selfContainedImage, priorityClassName, hostUsers, resources } = args;
    const pod = verifierPod({
      mode,
      image,
      selfContainedImage,
      labels,
      configMap: config.metadata.name,
      serviceAccount: account.metadata.name,
      tlsSecret,
      priorityClassName,
      hostUsers,
      resources,
    });
    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata: deploymentMetadata(metadata, skipAwait),
        spec: deploymentSpec({ labels, hash, pod, replicas, maxReplicas }),
      },
      { ...child, dependsOn: granted },
    );
    const service = new k8s.core.v1.Service(
      name,
      { metadata: { ...metadata, annotations: serviceAnnotations }, spec: serviceSpec(labels) },
      { ...child, dependsOn: [deployment] },
    );
    if (maxReplicas !== undefined) {
      const spec = autoscalerSpec(deployment.metadata.name, replicas, maxReplicas);
      new k8s.autoscaling.v2.HorizontalPodAutoscaler(name, { metadata, spec }, child);
    }
    new k8s.policy.v1.PodDisruptionBudget(name, { metadata, spec: budgetSpec(labels) }, child);
    const network = args.cluster.host.apply((host) =>
      verifierNetwork({ mode, labels, callers, monitoring, apiPort: portOf(host), egressCidrs }),
    );
    new k8s.networking.v1.NetworkPolicy(name, { metadata, spec: network }, child);
    const scheme = tlsSecret ? "https" : "http";
    this.url = pulumi.interpolate`${scheme}://${service.metadata.name}.${this.namespace}.svc:${verifierPorts.http}`;
    const { namespace, url } = this;
    this.registerOutputs({ namespace, url, mode, image, callers: this.callers });
  }

  #checkArgs(args: VerifierArgs): void {
    const { image = defaultVerifierImage, selfContainedImage = false, resources = {}, egressCidrs = [] } = args;
    const { replicas = 2, maxReplicas } = args;
    const problem = resourcesProblem(resources) ?? cidrsProblem(egressCidrs) ?? imageProblem(image, selfContainedImage);
    if (problem) throw new pulumi.ResourceError(problem, this);
    if (maxReplicas !== undefined && maxReplicas < replicas)
      throw new pulumi.ResourceError(`maxReplicas is ${maxReplicas}, which is less than replicas (${replicas}).`, this);
  }

  /** Creates the ConfigMap. The hash of its content changes the pods with it. */
  #config(name: string, args: VerifierArgs, labels: Record<string, string>) {
    const { cluster, mode = "hybrid", audiences, allow = [], publicKeys, tlsSecret, selfContainedImage } = args;
    const settings = pulumi
      .all([cluster.issuer, publicKeys ?? cluster.jwks])
      .apply(([issuer, keys]): VerifierSettings => {
        const tls = tlsSecret !== undefined;
        const known = { mode, audiences, issuer, publicKeys: keys, allow, tls, more: args.settings };
        const problem = verifierConfigProblem(known);
        if (problem) throw new pulumi.ResourceError(problem, this);
        return known;
      });
    const data = settings.apply(async (known) =>
      verifierFiles(known, selfContainedImage ? undefined : await bundled()),
    );
    const hash = data.apply((files) => createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 12));
    // The name is generated. A name from the hash of the content could not be checked before the run, because the content depends on the cluster.
    const metadata = { namespace: this.namespace, labels };
    const config = new k8s.core.v1.ConfigMap(name, { metadata, immutable: true, data }, { parent: this });
    return { config, hash };
  }

  /** Grants the permissions of the mode. Mode `jwt-pubkey` needs none. */
  #grant(name: string, mode: VerifierMode, account: k8s.core.v1.ServiceAccount): pulumi.Resource[] {
    const rules = verifierRules(mode);
    if (rules.length === 0) return [];
    const role = new k8s.rbac.v1.ClusterRole(name, { rules }, { parent: this });
    const subject = serviceAccountSubject(account.metadata.name, this.namespace);
    return [bindClusterRole(name, metadataOf(role).name, subject, { ...replaceWithSubject, parent: this })];
  }
}

/** The program as one file, and its licenses. The bundler is imported here and not at the start, because it loads slowly. */
async function bundled(): Promise<ProgramFiles> {
  const { bundleVerifier } = await import("../../verifier/bundle/bundle.ts");
  const { code, licenses } = await bundleVerifier();
  return { "verifier.mjs": code, "verifier.licenses.txt": licenses };
}

function portOf(host: string): number {
  const { port } = new URL(host);
  return port === "" ? 443 : Number(port);
}
