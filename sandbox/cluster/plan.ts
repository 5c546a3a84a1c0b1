import { join } from "node:path";

/** A process of a sandbox: the Kubernetes binary under one of its names, or another program. */
export interface PlannedProcess {
  readonly name: ComponentName;
  /** Path of the program. @default the Kubernetes binary, whose first argument is the name of the server */
  readonly path?: string;
  readonly args: readonly string[];
  /** `NAME=value`, in addition to the environment of the supervisor. */
  readonly env: readonly string[];
}

/** The servers of a control plane, in the order of their dependencies. */
const controlPlaneComponents = ["etcd", "kube-apiserver", "kube-controller-manager"] as const;
/** Further servers of a sandbox with a node. */
const nodeComponents = ["containerd", "coredns", "kube-scheduler", "kube-proxy", "kubelet"] as const;
export type ComponentName = (typeof controlPlaneComponents)[number] | (typeof nodeComponents)[number];

/** The servers of a sandbox. */
export function componentNames(hasNode: boolean): readonly ComponentName[] {
  return hasNode ? [...controlPlaneComponents, ...nodeComponents] : controlPlaneComponents;
}

export interface PlanInput {
  /** Value of `iss` in service account tokens. */
  readonly issuer: string;
  /** Audiences of the API server besides the issuer. */
  readonly apiAudiences: readonly string[];
  readonly apiserverPort: number;
  readonly controllerManagerPort: number;
  /** URL of the issuer's keys. @default at the API server's address on this machine */
  readonly jwksUri?: string;
  /** Options for the addresses of the API server. @default the loopback interface, without endpoints */
  readonly apiserverArgs?: readonly string[];
}

const loopbackApiserver = [
  "--bind-address=127.0.0.1",
  "--advertise-address=127.0.0.1",
  // Without a node, no client uses endpoints.
  "--endpoint-reconciler-type=none",
];

/** Files of a sandbox, relative to its folder, which is the working directory of its processes. */
export const files = {
  plan: "plan.json",
  record: "sandbox.json",
  supervisor: "supervisor.json",
  supervisorLog: "supervisor.log",
  kubeconfig: "kubeconfig",
  etcdSocket: "etcd.sock",
  etcdPeerSocket: "etcd-peer.sock",
  servingCa: join("pki", "serving-ca.crt"),
  clientCa: join("pki", "client-ca.crt"),
  clientCaKey: join("pki", "client-ca.key"),
  admin: join("pki", "admin.crt"),
  adminKey: join("pki", "admin.key"),
  serving: join("pki", "serving.crt"),
  servingKey: join("pki", "serving.key"),
  serviceAccountKey: join("pki", "service-account.key"),
  serviceAccountPublic: join("pki", "service-account.pub"),
  auditPolicy: "audit-policy.json",
  logs: "logs",
  auditLog: join("logs", "audit.log"),
} as const;

const serviceRange = "10.0.0.0/24";

/** https address of a sandbox's API server. */
export function serverUrl(apiserverPort: number): string {
  return `https://127.0.0.1:${apiserverPort}`;
}

/**
 * The processes of a control plane. Without a node, they listen on the loopback interface only. etcd, which does not authenticate clients,
 * listens on a socket in the sandbox's folder, which only its owner can enter. All versions of Kubernetes that can be built have these flags.
 */
export function controlPlanePlan(input: PlanInput): readonly PlannedProcess[] {
  const server = serverUrl(input.apiserverPort);
  return [
    {
      name: "etcd",
      args: [
        "etcd",
        "--data-dir=etcd",
        `--listen-client-urls=unix://${files.etcdSocket}`,
        // No client uses this address, but it must have a port.
        `--advertise-client-urls=unix://${files.etcdSocket}:0`,
        // etcd has no peers, but requires an address for them. A socket opens no port.
        `--listen-peer-urls=unix://${files.etcdPeerSocket}:0`,
        `--initial-advertise-peer-urls=unix://${files.etcdPeerSocket}:0`,
        `--initial-cluster=default=unix://${files.etcdPeerSocket}:0`,
        "--unsafe-no-fsync",
        "--log-level=warn",
      ],
      env: [],
    },
    {
      name: "kube-apiserver",
      args: [
        "kube-apiserver",
        `--etcd-servers=unix://${files.etcdSocket}`,
        ...(input.apiserverArgs ?? loopbackApiserver),
        `--secure-port=${input.apiserverPort}`,
        `--tls-cert-file=${files.serving}`,
        `--tls-private-key-file=${files.servingKey}`,
        `--client-ca-file=${files.clientCa}`,
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        `--service-cluster-ip-range=${serviceRange}`,
        `--service-account-issuer=${input.issuer}`,
        `--service-account-jwks-uri=${input.jwksUri ?? `${server}/openid/v1/jwks`}`,
        `--service-account-key-file=${files.serviceAccountPublic}`,
        `--service-account-signing-key-file=${files.serviceAccountKey}`,
        `--api-audiences=${[input.issuer, ...input.apiAudiences].join(",")}`,
        `--audit-policy-file=${files.auditPolicy}`,
        `--audit-log-path=${files.auditLog}`,
        "--audit-log-maxsize=20",
        "--audit-log-maxbackup=1",
        "--profiling=false",
      ],
      env: [`K8SAUTH_SANDBOX_AWAIT=unix:${files.etcdSocket}`],
    },
    {
      name: "kube-controller-manager",
      args: [
        "kube-controller-manager",
        `--kubeconfig=${files.kubeconfig}`,
        `--authentication-kubeconfig=${files.kubeconfig}`,
        `--authorization-kubeconfig=${files.kubeconfig}`,
        "--bind-address=127.0.0.1",
        `--secure-port=${input.controllerManagerPort}`,
        `--tls-cert-file=${files.serving}`,
        `--tls-private-key-file=${files.servingKey}`,
        `--service-account-private-key-file=${files.serviceAccountKey}`,
        `--root-ca-file=${files.servingCa}`,
        `--cluster-signing-cert-file=${files.clientCa}`,
        `--cluster-signing-key-file=${files.clientCaKey}`,
        "--use-service-account-credentials",
        `--service-cluster-ip-range=${serviceRange}`,
        "--leader-elect=false",
        "--controllers=*",
        // Each controller creates its ServiceAccount first, which takes five seconds at the default rate.
        "--kube-api-qps=1000",
        "--kube-api-burst=1000",
        "--profiling=false",
      ],
      env: [`K8SAUTH_SANDBOX_AWAIT=${server}/readyz`, `K8SAUTH_SANDBOX_AWAIT_CA=${files.servingCa}`],
    },
  ];
}
