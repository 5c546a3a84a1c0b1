import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
const labels = config.requireObject<Record<string, string>>("labels");
const provider = new k8s.Provider("cluster", { kubeconfig: config.requireSecret("kubeconfig") });

const namespace = new k8s.core.v1.Namespace("place", { metadata: { labels } }, { provider });
const within = { namespace: namespace.metadata.name, labels };
const account = new k8s.core.v1.ServiceAccount("user", { metadata: within }, { provider });
const role = new k8s.rbac.v1.Role(
  "reader",
  {
    metadata: within,
    rules: [{ apiGroups: [""], resources: ["pods"], verbs: config.requireObject<string[]>("verbs") }],
  },
  { provider, protect: config.requireBoolean("protect") },
);

export const names = { namespace: namespace.metadata.name, account: account.metadata.name, role: role.metadata.name };
