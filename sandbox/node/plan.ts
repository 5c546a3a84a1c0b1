import { join } from "node:path";
import { files, type PlannedProcess, serverUrl } from "../cluster/plan.ts";
import { inside } from "./machine.ts";
import { systemPath } from "./requirements.ts";

/** Files of a node, relative to the sandbox's folder. */
export const nodeFiles = {
  containerd: join("node", "containerd.toml"),
  containerdSocket: "containerd.sock",
  network: join("node", "cni", "10-pods.conflist"),
  kubelet: join("node", "kubelet.yaml"),
  kubeletKubeconfig: join("node", "kubelet.kubeconfig"),
  kubeletServing: join("node", "kubelet.crt"),
  kubeletServingKey: join("node", "kubelet.key"),
  proxy: join("node", "kube-proxy.yaml"),
  dns: join("node", "Corefile"),
} as const;

export interface NodePlanInput {
  readonly nodeName: string;
  readonly apiserverPort: number;
  /** Parent cgroup of the pods. */
  readonly cgroup: string;
  /** Path of containerd. */
  readonly containerd: string;
  /** Folder of the CNI plugins. */
  readonly cni: string;
  /** Snapshotter of containerd: `native` copies layers, for folders without support for overlayfs. */
  readonly snapshotter: "overlayfs" | "native";
}

/** Image of the sandbox container, which keeps a pod's namespaces. */
export const pauseImage = "localhost/pause:1";

const home = inside.home;
const clusterDomain = "cluster.local";

/** URL of the keys of ServiceAccount tokens for pods, with their mounted CA. */
export const clusterJwksUri = `https://kubernetes.default.svc.${clusterDomain}/openid/v1/jwks`;

/** The processes of a node, in the order of their dependencies. */
export function nodePlan(input: NodePlanInput): readonly PlannedProcess[] {
  const path = `PATH=${systemPath}`;
  const afterApiserver = [
    path,
    `K8SAUTH_SANDBOX_AWAIT=${serverUrl(input.apiserverPort)}/readyz`,
    `K8SAUTH_SANDBOX_AWAIT_CA=${files.servingCa}`,
  ];
  return [
    {
      name: "containerd",
      path: input.containerd,
      args: [`--config=${home}/${nodeFiles.containerd}`],
      env: [path],
    },
    {
      name: "coredns",
      path: `${inside.bin}/dns`,
      args: [`-conf=${nodeFiles.dns}`],
      env: [path],
    },
    {
      name: "kube-scheduler",
      args: [
        "kube-scheduler",
        `--kubeconfig=${files.kubeconfig}`,
        `--authorization-kubeconfig=${files.kubeconfig}`,
        // Only its health endpoint is used.
        "--authentication-skip-lookup",
        "--bind-address=127.0.0.1",
        `--tls-cert-file=${files.serving}`,
        `--tls-private-key-file=${files.servingKey}`,
        "--leader-elect=false",
        "--profiling=false",
      ],
      env: afterApiserver,
    },
    {
      name: "kube-proxy",
      args: ["kube-proxy", `--config=${nodeFiles.proxy}`, `--hostname-override=${input.nodeName}`],
      env: afterApiserver,
    },
    {
      name: "kubelet",
      args: [
        "kubelet",
        `--config=${nodeFiles.kubelet}`,
        `--kubeconfig=${nodeFiles.kubeletKubeconfig}`,
        `--hostname-override=${input.nodeName}`,
        `--node-ip=${inside.address}`,
        `--root-dir=${home}/node/kubelet`,
        `--cert-dir=${home}/node/pki`,
      ],
      env: afterApiserver,
    },
  ];
}

/** Options of the API server that only a cluster with a node needs. */
export function nodeApiserverArgs(): string[] {
  return [
    // The machine's interfaces: loopback, and the links to its pods.
    "--bind-address=0.0.0.0",
    `--advertise-address=${inside.address}`,
    "--kubelet-preferred-address-types=InternalIP",
    `--kubelet-certificate-authority=${files.servingCa}`,
    `--kubelet-client-certificate=${files.admin}`,
    `--kubelet-client-key=${files.adminKey}`,
    "--enable-admission-plugins=NodeRestriction",
  ];
}

/** Contents of the configuration files, by path in the sandbox's folder. */
export function nodeConfiguration(input: NodePlanInput): Readonly<Record<string, string>> {
  return {
    [nodeFiles.containerd]: containerdConfig(input),
    [nodeFiles.network]: JSON.stringify(network, null, 2),
    [nodeFiles.kubelet]: JSON.stringify(kubeletConfig(input), null, 2),
    [nodeFiles.proxy]: JSON.stringify(proxyConfig, null, 2),
    [nodeFiles.dns]: corefile,
  };
}

function containerdConfig({ cni, snapshotter }: NodePlanInput): string {
  return `version = 2
root = "${home}/node/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = "${home}/${nodeFiles.containerdSocket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Without it runc fails where this process may not lower the score that it was started with.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${snapshotter}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cni}"
    conf_dir = "${home}/node/cni"
`;
}

/** Each pod has a separate link to the machine, which routes between them. There is no bridge and no route to the outside. */
const network = {
  cniVersion: "1.0.0",
  name: "pods",
  plugins: [
    {
      type: "ptp",
      ipMasq: false,
      ipam: { type: "host-local", ranges: [[{ subnet: inside.podRange }]], routes: [{ dst: "0.0.0.0/0" }] },
    },
  ],
};

/** JSON is valid YAML. */
function kubeletConfig({ cgroup }: NodePlanInput): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: `unix://${home}/${nodeFiles.containerdSocket}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    evictionHard: { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
    imageGCHighThresholdPercent: 100,
    address: inside.address,
    // Paths are relative to the folder of this file.
    tlsCertFile: `${home}/${nodeFiles.kubeletServing}`,
    tlsPrivateKeyFile: `${home}/${nodeFiles.kubeletServingKey}`,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${home}/${files.clientCa}` },
    },
    authorization: { mode: "Webhook" },
    clusterDNS: [inside.address],
    clusterDomain,
    // Names outside the cluster are not resolved.
    resolvConf: "",
    podLogsDir: `${home}/node/pod-logs`,
    volumePluginDir: `${home}/node/volume-plugins`,
  };
}

const proxyConfig = {
  apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
  kind: "KubeProxyConfiguration",
  clientConnection: { kubeconfig: files.kubeconfig },
  mode: "nftables",
  nftables: { minSyncPeriod: "100ms" },
  clusterCIDR: inside.podRange,
  detectLocalMode: "ClusterCIDR",
  // The limit of tracked connections is a setting of the host, which a sandbox does not change.
  conntrack: { maxPerCore: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
};

/** Port of the ready plugin of CoreDNS. */
export const dnsReadyPort = 8181;

const corefile = `.:53 {
  bind ${inside.address}
  errors
  ready ${inside.address}:${dnsReadyPort}
  kubernetes ${clusterDomain} in-addr.arpa {
    kubeconfig ${files.kubeconfig}
  }
}
`;
