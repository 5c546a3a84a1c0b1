import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster, ReservedName } from "./cluster.ts";
import { checkVerifierConfig } from "./verifierCheck.ts";
import {
  callerToken,
  type VerifierMode,
  type VerifierSettings,
  verifierFiles,
  verifierPod,
  verifierPorts,
  verifierRules,
} from "./verifierManifests.ts";
import { type Callers, verifierNetwork } from "./verifierNetwork.ts";

export interface VerifierArgs {
  /** The cluster, checked: its issuer and keys are what the verifier trusts. */
  readonly cluster: Cluster;
  /** Audiences of the tokens that callers present; at least one, and never the API server's own. */
  readonly audiences: readonly [string, ...string[]];
  /**
   * `hybrid`: signature and claims first, then the API server is asked, so that deleted accounts and pods are refused and
   * forged tokens never reach it. `tokenreview`: the API server alone. `oidc-discovery`: the issuer's published keys.
   * `jwt-pubkey`: keys as they were when this was deployed.
   *
   * @default "hybrid"
   */
  readonly mode?: VerifierMode;
  /** Who is let in: `NAMESPACE/SERVICEACCOUNT[/POD]` with `*` and `?`. @default every ServiceAccount */
  readonly allow?: readonly string[];
  /** Public keys for `jwt-pubkey`: PEM keys or certificates, or a JSON Web Key Set as JSON. @default the cluster's */
  readonly publicKeys?: pulumi.Input<string>;
  /** @default one that is made, with a name that is made up */
  readonly namespace?: pulumi.Input<string>;
  /** Makes the namespace, with the label `pod-security.kubernetes.io/enforce: restricted`. @default true */
  readonly createNamespace?: boolean;
  /** An image whose entry point is Node.js 24; pin it by digest. @default Google's distroless Node.js 24, by its tag */
  readonly image?: string;
  /** @default 2 */
  readonly replicas?: number;
  /** Pods that may call it, as a NetworkPolicy lets them in. @default pods of every namespace */
  readonly callers?: readonly Callers[];
  /** Pods that may read its metrics, on port 8081. @default none */
  readonly monitoring?: readonly Callers[];
  /**
   * Secret of the type `kubernetes.io/tls` in the verifier's namespace, for cert-manager to make, say: it then serves TLS with it, and
   * takes a renewed one without a restart. Its certificate has to be for `NAME.NAMESPACE.svc`.
   *
   * @default plain HTTP
   */
  readonly tlsSecret?: string;
  readonly priorityClassName?: string;
  /**
   * Further settings of the verifier's file, by their names in `--help`: `issuers` (then with an entry for the cluster itself),
   * `reviewOutage`, `reviewCacheSeconds`, `logLevel` and others.
   */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/**
 * A tag and no digest: a digest that nobody renews is a Node.js without its security fixes, and its users could not tell. Who pins has
 * something that raises the pin.
 */
export const defaultVerifierImage = "gcr.io/distroless/nodejs24-debian13:nonroot";

/** What to know of an image that can come to be another one; nothing of one that is pinned. */
export function imageNotes(image: string): string[] {
  if (/@sha256:[0-9a-f]{64}$/.test(image)) return [];
  return [
    `The verifier's image ${image} is a tag, which can come to name another image, and which the policy image-pinned refuses: look its digest up (crane digest ${image}, or docker buildx imagetools inspect ${image}) and set k8sauth:verifierImage to ${image}@sha256:….`,
  ];
}

/**
 * The bundled verifier, deployed: services ask it who their callers are. Its program is one file in an immutable
 * ConfigMap whose name carries its hash, on a stock Node.js image: what runs can be read, and nothing has to be built.
 */
export class Verifier extends pulumi.ComponentResource {
  readonly namespace: pulumi.Output<string>;
  /** `http://NAME.NAMESPACE.svc:8080`, or https: whoever asks it presents the caller's token as it came. */
  readonly url: pulumi.Output<string>;
  readonly mode: VerifierMode;
  readonly image: string;
  /** By audience: what a caller mounts, and where its token then is. */
  readonly callers: Readonly<Record<string, ReturnType<typeof callerToken>>>;

  constructor(name: string, args: VerifierArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:Verifier", name, {}, opts);
    const child = { parent: this };
    const { mode = "hybrid", image = defaultVerifierImage, audiences, allow = [], tlsSecret } = args;
    const { callers = [{}], monitoring = [] } = args;
    this.mode = mode;
    this.image = image;
    this.callers = Object.fromEntries(audiences.map((audience) => [audience, callerToken(audience)]));
    this.namespace = this.#namespace(name, args);
    const labels = { "app.kubernetes.io/name": name };
    const metadata = { name, namespace: this.namespace, labels };

    const account = new k8s.core.v1.ServiceAccount(name, { metadata, automountServiceAccountToken: false }, child);
    const granted = this.#grant(name, mode, account);
    const settings = pulumi
      .all([args.cluster.issuer, args.publicKeys ?? args.cluster.jwks])
      .apply(([issuer, publicKeys]): VerifierSettings => {
        const known = { mode, audiences, issuer, publicKeys, allow, tls: tlsSecret !== undefined, more: args.settings };
        const problem = checkVerifierConfig(known);
        if (problem) throw new pulumi.ResourceError(problem, this);
        return known;
      });
    const files = settings.apply(async (known) => verifierFiles(known, await bundledCode()));
    const hash = files.apply((data) => createHash("sha256").update(JSON.stringify(data)).digest("hex").slice(0, 12));
    const config = new k8s.core.v1.ConfigMap(
      name,
      {
        metadata: { name: pulumi.interpolate`${name}-${hash}`, namespace: this.namespace, labels },
        immutable: true,
        data: files,
      },
      child,
    );
    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata,
        spec: {
          replicas: args.replicas ?? 2,
          selector: { matchLabels: labels },
          strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
          template: {
            metadata: { labels, annotations: { "k8sauth.dev/config-hash": hash } },
            spec: verifierPod({
              mode,
              image,
              labels,
              configMap: config.metadata.name,
              serviceAccount: account.metadata.name,
              tlsSecret,
              priorityClassName: args.priorityClassName,
            }),
          },
        },
      },
      { ...child, dependsOn: granted },
    );
    const service = new k8s.core.v1.Service(
      name,
      { metadata, spec: { selector: labels, ports: [{ name: "http", port: verifierPorts.http, targetPort: "http" }] } },
      { ...child, dependsOn: [deployment] },
    );
    new k8s.policy.v1.PodDisruptionBudget(
      name,
      {
        metadata,
        spec: { selector: { matchLabels: labels }, maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" },
      },
      child,
    );
    new k8s.networking.v1.NetworkPolicy(
      name,
      {
        metadata,
        spec: args.cluster.host.apply((host) =>
          verifierNetwork({ mode, labels, callers, monitoring, apiPort: portOf(host) }),
        ),
      },
      child,
    );
    const scheme = tlsSecret ? "https" : "http";
    this.url = pulumi.interpolate`${scheme}://${service.metadata.name}.${this.namespace}.svc:${verifierPorts.http}`;
    this.registerOutputs({ url: this.url });
  }

  #namespace(name: string, { namespace, createNamespace = true }: VerifierArgs): pulumi.Output<string> {
    if (!createNamespace) {
      if (namespace) return pulumi.output(namespace);
      throw new pulumi.ResourceError("namespace: name the one that exists, or let createNamespace be true.", this);
    }
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    const made = new k8s.core.v1.Namespace(
      name,
      { metadata: { ...(namespace && { name: namespace }), labels } },
      { parent: this },
    );
    return made.metadata.name;
  }

  /** The least rights of the mode; with keys of its own the verifier needs none. */
  #grant(name: string, mode: VerifierMode, account: k8s.core.v1.ServiceAccount): pulumi.Resource[] {
    const rules = verifierRules(mode);
    if (rules.length === 0) return [];
    const role = new k8s.rbac.v1.ClusterRole(name, { rules }, { parent: this });
    const binding = new k8s.rbac.v1.ClusterRoleBinding(
      name,
      {
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role.metadata.name },
        subjects: [{ kind: "ServiceAccount", name: account.metadata.name, namespace: this.namespace }],
      },
      { parent: this, replaceOnChanges: ["subjects"] },
    );
    return [binding];
  }
}

/** The objects that a Verifier makes under names that are not its own alone: they must be free. */
export function verifierNames(
  name: string,
  { namespace, createNamespace = true }: Pick<VerifierArgs, "createNamespace"> & { readonly namespace?: string },
): ReservedName[] {
  if (!namespace) return [];
  if (createNamespace) return [{ apiVersion: "v1", kind: "Namespace", name: namespace }];
  const kinds = [
    ["v1", "ServiceAccount"],
    ["v1", "Service"],
    ["apps/v1", "Deployment"],
    ["policy/v1", "PodDisruptionBudget"],
    ["networking.k8s.io/v1", "NetworkPolicy"],
  ] as const;
  return kinds.map(([apiVersion, kind]) => ({ apiVersion, kind, namespace, name }));
}

/** The verifier as one file. Bundled only where a stack has a verifier: the bundler takes its time to start. */
async function bundledCode(): Promise<string> {
  const { bundleVerifier } = await import("../verifier/bundle.ts");
  return (await bundleVerifier()).code;
}

function portOf(host: string): number {
  const { port } = new URL(host);
  return port === "" ? 443 : Number(port);
}
