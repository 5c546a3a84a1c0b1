import { join } from "node:path";

/** One process of a sandbox: the one binary under another name, or another program. */
export interface PlannedProcess {
  readonly name: ComponentName;
  /** Another program's path. */
  readonly path?: string;
  readonly args: readonly string[];
  /** `NAME=value`, beside what the supervisor has. */
  readonly env: readonly string[];
}

/** The servers of a control plane, in the order in which they need one another. */
export const controlPlaneComponents = ["etcd", "kube-apiserver", "kube-controller-manager"] as const;
/** What runs beside them where there is a node. */
export const nodeComponents = ["containerd", "coredns", "kube-scheduler", "kube-proxy", "kubelet"] as const;
export type ComponentName = (typeof controlPlaneComponents)[number] | (typeof nodeComponents)[number];

/** The servers of a sandbox. */
export function componentNames(hasNode: boolean): readonly ComponentName[] {
  return hasNode ? [...controlPlaneComponents, ...nodeComponents] : controlPlaneComponents;
}

export interface PlanInput {
  /** Value of `iss` in service account tokens. */
  readonly issuer: string;
  /** Further audiences of the API server, beside the issuer. */
  readonly apiAudiences: readonly string[];
  readonly apiserverPort: number;
  readonly controllerManagerPort: number;
  /** Where the issuer's keys can be fetched from, whatever it is called. @default the API server's address on this machine */
  readonly jwksUri?: string;
  /** How the API server is reached. @default on the loopback interface, with no way for endpoints to lead to it */
  readonly apiserverArgs?: readonly string[];
}

const loopbackApiserver = [
  "--bind-address=127.0.0.1",
  "--advertise-address=127.0.0.1",
  // Without a node there is nothing that could reach the server through an endpoint.
  "--endpoint-reconciler-type=none",
];

/** Names of files in a sandbox's folder, relative to it: every process of a sandbox runs there. */
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
 * What to run for a control plane; without a node everything listens on the loopback interface alone, and etcd, which asks nobody
 * who they are, on a socket inside the sandbox's folder that only its owner can enter. Every version of Kubernetes that can be built
 * has the flags that are set here; one that differs by version belongs here.
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
        // No client uses this address of etcd, but it must have a port.
        `--advertise-client-urls=unix://${files.etcdSocket}:0`,
        // It has no peers, but wants an address for them: no port that others could talk to.
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
        // Each controller begins by making its service account; at the default rate that alone takes five seconds.
        "--kube-api-qps=1000",
        "--kube-api-burst=1000",
        "--profiling=false",
      ],
      env: [`K8SAUTH_SANDBOX_AWAIT=${server}/readyz`, `K8SAUTH_SANDBOX_AWAIT_CA=${files.servingCa}`],
    },
  ];
}
