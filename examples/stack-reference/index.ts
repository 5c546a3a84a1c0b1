import * as pulumi from "@pulumi/pulumi";
import * as vault from "@pulumi/vault";

/** The part of the output `authConfigs` (docs/outputs.md) that this program reads. */
interface AuthConfigs {
  readonly token: {
    readonly vault: {
      readonly kubernetes_host: string;
      readonly kubernetes_ca_cert?: string;
      readonly token_reviewer_jwt: string;
      readonly disable_local_ca_jwt: boolean;
    };
  };
}

const settings = new pulumi.Config();
const cluster = new pulumi.StackReference("cluster", { name: settings.require("clusterStack") });
// The output is secret there, and stays secret here.
const authConfigs = cluster.requireOutput("authConfigs") as pulumi.Output<AuthConfigs>;
const config = authConfigs.apply(({ token }) => token.vault);

const method = new vault.AuthBackend("kubernetes", { type: "kubernetes", path: "kubernetes" });
new vault.kubernetes.AuthBackendConfig("kubernetes", {
  backend: method.path,
  kubernetesHost: config.kubernetes_host,
  // Absent if a public CA signed the certificate of the API server.
  kubernetesCaCert: config.apply(({ kubernetes_ca_cert: ca = "" }) => ca),
  tokenReviewerJwt: config.token_reviewer_jwt,
  disableLocalCaJwt: config.disable_local_ca_jwt,
});
const shop = new vault.kubernetes.AuthBackendRole("shop", {
  backend: method.path,
  roleName: "shop",
  boundServiceAccountNames: ["shop"],
  boundServiceAccountNamespaces: ["shop"],
  tokenPolicies: ["shop"],
});
export const role = shop.roleName;
