/**
 * The mark to compare with: a plain Pulumi program with the objects, key and certificate request of the stack, without this
 * product's plugin and without proofs.
 */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";

const config = new pulumi.Config();
const provider = new k8s.Provider("cluster", { kubeconfig: config.require("kubeconfig") });
const options = { provider };
const rules = [{ apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] }];
const apiGroup = "rbac.authorization.k8s.io";

const namespace = new k8s.core.v1.Namespace("gateway-token-reviewer", {}, options).metadata.name;
const account = new k8s.core.v1.ServiceAccount(
  "gateway-token-reviewer",
  { metadata: { namespace, name: "gateway-token-reviewer" }, automountServiceAccountToken: false },
  options,
);
bind("gateway-token-reviewer", { kind: "ServiceAccount", name: account.metadata.name, namespace });
export const token = new k8s.core.v1.Secret(
  "gateway-token-reviewer",
  {
    metadata: {
      namespace,
      name: "gateway-token-reviewer-token",
      annotations: {
        "kubernetes.io/service-account.name": account.metadata.name,
        "pulumi.com/skipAwait": "true",
      },
    },
    type: "kubernetes.io/service-account-token",
  },
  options,
).metadata.name;

export const request = config.getBoolean("certificateFlow") ? clientCertificate() : undefined;

function clientCertificate(): pulumi.Output<string> {
  const commonName = `gateway-token-reviewer-${pulumi.getStack()}`;
  const key = new tls.PrivateKey("gateway-client-certificate", { algorithm: "RSA", rsaBits: 2048 });
  bind("gateway-client-certificate", { apiGroup, kind: "User", name: commonName });
  const subject = { commonName };
  return new tls.CertRequest("gateway-client-certificate", { privateKeyPem: key.privateKeyPem, subject })
    .certRequestPem;
}

function bind(name: string, subject: k8s.types.input.rbac.v1.Subject): void {
  const role = new k8s.rbac.v1.ClusterRole(name, { rules }, options);
  const roleRef = { apiGroup, kind: "ClusterRole", name: role.metadata.name };
  new k8s.rbac.v1.ClusterRoleBinding(name, { roleRef, subjects: [subject] }, options);
}
