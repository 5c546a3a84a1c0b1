import type * as pulumi from "@pulumi/pulumi";
import { nodeFlags } from "../verifier/nodeFlags.ts";

/** How tokens are verified: see the verifier's own documentation. */
export const verifierModes = ["hybrid", "tokenreview", "oidc-discovery", "jwt-pubkey"] as const;
export type VerifierMode = (typeof verifierModes)[number];

/** The verifier runs as this user: `nonroot` of distroless images. */
const userId = 65_532;
const folders = {
  app: "/app",
  config: "/etc/k8sauth-verifier",
  account: "/var/run/secrets/k8sauth-verifier",
  tls: "/var/run/secrets/k8sauth-verifier-tls",
};
export const verifierPorts = { http: 8080, admin: 8081 } as const;
const keysFile = "keys";

/** Everything that decides how a verifier verifies. */
export interface VerifierSettings {
  readonly mode: VerifierMode;
  readonly audiences: readonly string[];
  /** "" leaves it to the verifier to learn it from the API server. */
  readonly issuer: string;
  /** The issuer's public keys for `jwt-pubkey`: a JSON Web Key Set as JSON, or PEM. */
  readonly publicKeys: string;
  readonly allow: readonly string[];
  /** Whether it serves TLS, with a certificate from a Secret. */
  readonly tls: boolean;
  /** Further settings, as they stand in the verifier's file: `issuers`, `reviewCacheSeconds`, `logLevel` and others. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Settings of the verifier's file that follow from others, or from what the pod mounts. */
export const ownSettings: readonly string[] = [
  ...["mode", "audience", "issuer", "allow", "publicKeyFile", "apiServer", "apiCaFile", "apiTokenFile"],
  ...["listen", "adminListen", "tlsCertFile", "tlsKeyFile"],
];

/** The verifier's configuration file. */
export function verifierConfig({ mode, audiences, issuer, allow, tls, more = {} }: VerifierSettings): string {
  const asksApi = mode !== "jwt-pubkey";
  const config = {
    mode,
    audience: audiences,
    // Where entries are listed each has its own, and the cluster's learns it from the API server.
    ...(issuer && !more.issuers && { issuer }),
    ...(allow.length > 0 && { allow }),
    ...(mode === "jwt-pubkey" && { publicKeyFile: [`${folders.config}/${keysFile}`] }),
    ...(tls && { tlsCertFile: `${folders.tls}/tls.crt`, tlsKeyFile: `${folders.tls}/tls.key` }),
    ...(asksApi && { apiCaFile: `${folders.account}/ca.crt`, apiTokenFile: `${folders.account}/token` }),
    ...more,
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

/** The data of the ConfigMap that holds program, configuration and, where they are given, keys. */
export function verifierFiles(settings: VerifierSettings, code: string): Record<string, string> {
  const keys: Record<string, string> = settings.mode === "jwt-pubkey" ? { [keysFile]: settings.publicKeys } : {};
  return { "verifier.mjs": code, "config.json": verifierConfig(settings), ...keys };
}

/** Where an API server publishes its issuer and keys. */
export const discoveryPaths = ["/.well-known/openid-configuration", "/openid/v1/jwks"];

/** The rights of a mode: to ask for reviews, to read the issuer's keys, or none at all. */
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
  readonly labels: Record<string, string>;
  readonly configMap: pulumi.Input<string>;
  readonly serviceAccount: pulumi.Input<string>;
  readonly tlsSecret?: string;
  readonly priorityClassName?: string;
}

/** The verifier's pod: what the restricted pod security standard asks for, and a token of its own where it needs one. */
export function verifierPod(options: PodOptions) {
  const { mode, image, labels, configMap, serviceAccount, tlsSecret, priorityClassName } = options;
  const asksApi = mode !== "jwt-pubkey";
  const probe = (path: string) => ({ httpGet: { path, port: "admin" } });
  const readable = [
    ...[folders.app, folders.config],
    ...(asksApi ? [folders.account] : []),
    ...(tlsSecret ? [folders.tls] : []),
  ];
  return {
    serviceAccountName: serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(priorityClassName && { priorityClassName }),
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
    })),
    containers: [
      {
        name: "verifier",
        image,
        // The image's entry point is Node.js itself, which may read nothing but this.
        args: [
          ...nodeFlags,
          ...readable.map((folder) => `--allow-fs-read=${folder}/`),
          `${folders.app}/verifier.mjs`,
          "--config",
          `${folders.config}/config.json`,
        ],
        ports: [
          { name: "http", containerPort: verifierPorts.http },
          { name: "admin", containerPort: verifierPorts.admin },
        ],
        startupProbe: { ...probe("/livez"), periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: { ...probe("/readyz"), periodSeconds: 5 },
        livenessProbe: { ...probe("/livez"), periodSeconds: 10 },
        resources: { requests: { cpu: "100m", memory: "96Mi" }, limits: { memory: "192Mi" } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
        volumeMounts: [
          { name: "app", mountPath: folders.app, readOnly: true },
          { name: "config", mountPath: folders.config, readOnly: true },
          ...(asksApi ? [{ name: "account", mountPath: folders.account, readOnly: true }] : []),
          ...(tlsSecret ? [{ name: "tls", mountPath: folders.tls, readOnly: true }] : []),
        ],
      },
    ],
    volumes: [
      { name: "app", configMap: { name: configMap, items: [{ key: "verifier.mjs", path: "verifier.mjs" }] } },
      {
        name: "config",
        configMap: {
          name: configMap,
          items: ["config.json", ...(asksApi ? [] : [keysFile])].map((key) => ({ key, path: key })),
        },
      },
      ...(asksApi ? [accountVolume] : []),
      // Read again as it is renewed. Readable for the pod's own group, which fsGroup makes it.
      ...(tlsSecret ? [{ name: "tls", secret: { secretName: tlsSecret, defaultMode: 0o440 } }] : []),
    ],
  };
}

/** The verifier's own token, for an hour at a time, and the cluster's CA. Of 3607 s the API server would make a year. */
const accountVolume = {
  name: "account",
  projected: {
    sources: [
      { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    ],
  },
};

/** What a workload mounts to call a service that asks the verifier, and where its token then is. */
export function callerToken(audience: string) {
  const name = "verifier-token";
  const mountPath = "/var/run/secrets/k8sauth-verifier";
  return {
    tokenPath: `${mountPath}/token`,
    volume: {
      name,
      projected: { sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 3600, audience } }] },
    },
    volumeMount: { name, mountPath, readOnly: true },
  };
}
