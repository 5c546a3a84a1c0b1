import type * as pulumi from "@pulumi/pulumi";
import { projectedToken } from "../../gateways/index.ts";
import { nodeFlags } from "../../verifier/nodeFlags.ts";

/** How tokens are verified. */
export const verifierModes = ["hybrid", "tokenreview", "oidc-discovery", "jwt-pubkey"] as const;
export type VerifierMode = (typeof verifierModes)[number];

/** User of the verifier: `nonroot` of distroless images. */
const userId = 65_532;
const folders = {
  app: "/app",
  config: "/etc/k8sauth-verifier",
  account: "/var/run/secrets/k8sauth-verifier",
  tls: "/var/run/secrets/k8sauth-verifier-tls",
};
export const verifierPorts = { http: 8080, admin: 8081 } as const;
const keysFile = "keys";

/** Settings that decide how tokens are verified. */
export interface VerifierSettings {
  readonly mode: VerifierMode;
  /** Accepted audiences. A token must be for one of them. */
  readonly audiences: readonly string[];
  /** Issuer of tokens; "" if the verifier reads it from the API server. */
  readonly issuer: string;
  /** The issuer's public keys for `jwt-pubkey`: a JSON Web Key Set as JSON, or PEM. */
  readonly publicKeys: string;
  /** Accepted callers; every ServiceAccount if empty. */
  readonly allow: readonly string[];
  /** Whether it serves TLS, with a certificate from a Secret. */
  readonly tls: boolean;
  /** Further settings, by their names in the verifier's file: `issuers`, `reviewCacheSeconds`, `logLevel` and others. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Settings of the verifier's file that follow from other settings or from the pod's mounts. */
export const derivedSettings: readonly string[] = [
  ...["mode", "audience", "issuer", "allow", "publicKeyFile", "apiServer", "apiCaFile", "apiTokenFile"],
  ...["listen", "adminListen", "tlsCertFile", "tlsKeyFile"],
];

/** The verifier's configuration file. */
export function verifierConfig({ mode, audiences, issuer, allow, tls, more = {} }: VerifierSettings): string {
  const asksApi = mode !== "jwt-pubkey";
  const config = {
    mode,
    audience: audiences,
    // Each entry of `issuers` has its own. The cluster's entry reads it from the API server.
    ...(issuer && !more.issuers && { issuer }),
    ...(allow.length > 0 && { allow }),
    ...(mode === "jwt-pubkey" && { publicKeyFile: [`${folders.config}/${keysFile}`] }),
    ...(tls && { tlsCertFile: `${folders.tls}/tls.crt`, tlsKeyFile: `${folders.tls}/tls.key` }),
    ...(asksApi && { apiCaFile: `${folders.account}/ca.crt`, apiTokenFile: `${folders.account}/token` }),
    ...more,
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

const programFiles = ["verifier.mjs", "verifier.licenses.txt"] as const;
/** The program and its licenses, which copies of it must include. */
export type ProgramFiles = Readonly<Record<(typeof programFiles)[number], string>>;

/** Data of the ConfigMap: the program (unless the image contains it), the configuration, and the keys of `jwt-pubkey`. */
export function verifierFiles(settings: VerifierSettings, program?: ProgramFiles): Record<string, string> {
  const keys: Record<string, string> = settings.mode === "jwt-pubkey" ? { [keysFile]: settings.publicKeys } : {};
  return { ...program, "config.json": verifierConfig(settings), ...keys };
}

/** Paths at which an API server publishes its issuer and keys. */
export const discoveryPaths = ["/.well-known/openid-configuration", "/openid/v1/jwks"];

/** Permissions of a mode: create TokenReviews, read the issuer's keys, both, or none. */
export function verifierRules(mode: VerifierMode) {
  const review = { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] };
  const discovery = { nonResourceURLs: discoveryPaths, verbs: ["get"] };
  return {
    hybrid: [review, discovery],
    tokenreview: [review],
    "oidc-discovery": [discovery],
    "jwt-pubkey": [],
  }[mode];
}

export interface PodOptions {
  readonly mode: VerifierMode;
  readonly image: string;
  /** Whether the image contains the verifier, and its entry point runs it. @default false */
  readonly selfContainedImage?: boolean;
  readonly labels: Record<string, string>;
  readonly configMap: pulumi.Input<string>;
  readonly serviceAccount: pulumi.Input<string>;
  readonly tlsSecret?: string;
  readonly priorityClassName?: string;
  readonly resources?: VerifierResources;
  readonly hostUsers?: boolean;
}

/** CPU time and memory of a pod, as Kubernetes quantities. */
export interface VerifierResources {
  /** Requested CPU time. @default "100m" */
  readonly cpuRequest?: string;
  /** Limit of CPU time. @default none: throttling would delay every answer */
  readonly cpuLimit?: string;
  /** Requested memory. @default "96Mi" */
  readonly memoryRequest?: string;
  /** Limit of memory, at least 192Mi. More memory holds more connections. @default "192Mi" */
  readonly memoryLimit?: string;
}

const leastMemory = 192 * 1024 * 1024;

/** The problem of the resources; undefined without one. */
export function resourcesProblem({ memoryLimit }: VerifierResources): string | undefined {
  if (memoryLimit === undefined) return undefined;
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|k|M|G)?$/.exec(memoryLimit) ?? [];
  const factor = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, k: 1e3, M: 1e6, G: 1e9 }[unit] ?? 1;
  if (number !== undefined && Number(number) * factor >= leastMemory) return undefined;
  return `memoryLimit is ${JSON.stringify(memoryLimit)}. Set a quantity of at least 192Mi, for example 256Mi: the verifier's heap needs that much.`;
}

/** The verifier's pod. It complies with the restricted pod security standard, and mounts a token only in modes that need one. */
export function verifierPod(options: PodOptions) {
  const { mode, image, labels, configMap, serviceAccount, tlsSecret, priorityClassName, hostUsers } = options;
  const { selfContainedImage = false } = options;
  const { cpuRequest = "100m", memoryRequest = "96Mi", cpuLimit, memoryLimit = "192Mi" } = options.resources ?? {};
  const asksApi = mode !== "jwt-pubkey";
  // On a busy node, an answer can need more than Kubernetes' default of 1 s.
  const probe = (path: string) => ({ httpGet: { path, port: "admin" }, timeoutSeconds: 3 });
  const readable = [
    ...[folders.app, folders.config],
    ...(asksApi ? [folders.account] : []),
    ...(tlsSecret ? [folders.tls] : []),
  ];
  // The entry point is Node.js, which may read only these folders. The entry point of an image that contains the verifier has the same flags.
  const nodeArgs = selfContainedImage
    ? []
    : [...nodeFlags, ...readable.map((folder) => `--allow-fs-read=${folder}/`), `${folders.app}/verifier.mjs`];
  return {
    serviceAccountName: serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(priorityClassName && { priorityClassName }),
    ...(hostUsers !== undefined && { hostUsers }),
    terminationGracePeriodSeconds: 30,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: userId,
      runAsGroup: userId,
      fsGroup: userId,
      seccompProfile: { type: "RuntimeDefault" },
    },
    topologySpreadConstraints: ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map((topologyKey) => ({
      maxSkew: 1,
      topologyKey,
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: { matchLabels: labels },
      // Pods of an earlier ReplicaSet do not count.
      matchLabelKeys: ["pod-template-hash"],
    })),
    containers: [
      {
        name: "verifier",
        image,
        args: [...nodeArgs, "--config", `${folders.config}/config.json`],
        ports: [
          { name: "http", containerPort: verifierPorts.http },
          { name: "admin", containerPort: verifierPorts.admin },
        ],
        startupProbe: { ...probe("/livez"), periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: { ...probe("/readyz"), periodSeconds: 5 },
        livenessProbe: { ...probe("/livez"), periodSeconds: 10 },
        resources: {
          requests: { cpu: cpuRequest, memory: memoryRequest },
          limits: { ...(cpuLimit !== undefined && { cpu: cpuLimit }), memory: memoryLimit },
        },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
        volumeMounts: [
          ...(selfContainedImage ? [] : [{ name: "app", mountPath: folders.app, readOnly: true }]),
          { name: "config", mountPath: folders.config, readOnly: true },
          ...(asksApi ? [{ name: "account", mountPath: folders.account, readOnly: true }] : []),
          ...(tlsSecret ? [{ name: "tls", mountPath: folders.tls, readOnly: true }] : []),
        ],
      },
    ],
    volumes: [
      ...(selfContainedImage ? [] : [{ name: "app", configMap: { name: configMap, items: items(programFiles) } }]),
      {
        name: "config",
        configMap: { name: configMap, items: items(["config.json", ...(asksApi ? [] : [keysFile])]) },
      },
      ...(asksApi ? [accountVolume] : []),
      // Readable for the group of fsGroup.
      ...(tlsSecret ? [{ name: "tls", secret: { secretName: tlsSecret, defaultMode: 0o440 } }] : []),
    ],
  };
}

function items(keys: readonly string[]) {
  return keys.map((key) => ({ key, path: key }));
}

/** The verifier's own token, and the cluster's CA. */
const accountVolume = {
  name: "account",
  projected: {
    sources: [
      { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    ],
  },
};

/** Volume that a workload mounts to call a service that uses the verifier, and the path of its token. */
export function callerToken(audience: string) {
  return projectedToken(audience, "verifier-token", "/var/run/secrets/k8sauth-verifier");
}
