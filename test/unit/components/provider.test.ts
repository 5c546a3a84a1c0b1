import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import {
  AkeylessGateway,
  BearerTokenUser,
  ClientCertificate,
  Cluster,
  Provider,
  TokenReviewer,
} from "../../../components/index.ts";
import { keyPair } from "../../support/akeyless.ts";
import { caPem, type Rendered, registrations, secret, token } from "./render.ts";

const access = { token: { host: "https://a.example", caPem, issuer: "", audience: "", token } };
const { signingKey } = keyPair();
const given = { accessId: "p-1", signingKey };

/** The own inputs of components, by type. */
function inputsOf(all: readonly Rendered[], type: string): Record<string, unknown> | undefined {
  return all.find((resource) => resource.type === `k8sauth:index:${type}`)?.inputs;
}

test("a provider has the deployer's credentials, the kubeconfig as a secret", async () => {
  const all = await registrations(() => new Provider("cluster", { kubeconfig: "k", context: "prod", offline: "warn" }));
  expect(all).toEqual([
    {
      type: "pulumi:providers:k8sauth",
      name: "cluster",
      inputs: { kubeconfig: secret("k"), context: "prod", offline: "warn" },
      provider: "",
    },
  ]);
});

test("resources of components inherit the provider and contain no credentials of the deployer", async () => {
  // GIVEN
  const role = { clusterRole: "view", namespace: "home" };
  const gateway = { gatewayApi: "https://gateway.example", authConfigName: "k8s", access, authMethod: given };

  // WHEN
  const all = await registrations(() => {
    const provider = new Provider("deployer", { kubeconfig: "k" });
    const cluster = new Cluster("cluster", {}, { provider });
    const within = { providers: [provider] };
    new TokenReviewer("reviewer", { cluster }, within);
    new ClientCertificate("client", { cluster, commonName: "gateway" }, within);
    new BearerTokenUser("reader", { cluster, ...role }, within);
    new AkeylessGateway("akeyless", gateway, within);
  });

  // THEN
  const own = all.filter(({ type }) =>
    /^k8sauth:index:(Cluster|\w+Token|SignedCertificate|Akeyless\w+(Method|Config))$/.test(type),
  );
  expect(own.map(({ type }) => type.split(":").at(-1)).sort()).toEqual([
    "AkeylessGatewayAuthConfig",
    "Cluster",
    "ReviewerToken",
    "ReviewerToken",
    "SignedCertificate",
  ]);
  for (const { provider, inputs } of own) {
    expect(provider).toMatch(/::pulumi:providers:k8sauth::deployer::/);
    expect(inputs).not.toHaveProperty("kubeconfig");
  }
});

test("components register their plain arguments as inputs; resources and credentials are omitted or secret", async () => {
  // GIVEN
  const expiryNotice = { name: "/c", days: [7], certificatePem: "c" };
  const authConfigName = "k8s";

  // WHEN
  const all = await registrations(() => {
    const cluster = new Cluster("cluster", {});
    const namespace = pulumi.output("home");
    new TokenReviewer("reviewer", { cluster, audience: "vault", tokenMode: "tokenRequest" });
    new ClientCertificate("client", { cluster, commonName: "gateway", csrPem: "r", privateKeyPem: "hush" });
    new BearerTokenUser("reader", { cluster, namespace, clusterRole: "view" });
    new AkeylessGateway("akeyless", {
      gatewayApi: "https://gateway.example",
      authConfigName,
      access,
      authMethod: given,
      expiryNotice,
    });
  });

  // THEN
  expect(inputsOf(all, "TokenReviewer")).toEqual({ audience: "vault", tokenMode: "tokenRequest" });
  expect(inputsOf(all, "ClientCertificate")).toEqual({
    commonName: "gateway",
    csrPem: "r",
    privateKeyPem: secret("hush"),
  });
  expect(inputsOf(all, "BearerTokenUser")).toEqual({ namespace: "home", clusterRole: "view" });
  expect(inputsOf(all, "AkeylessGateway")).toEqual({
    gatewayApi: "https://gateway.example",
    authConfigName,
    kinds: ["token"],
    expiryNotice: { name: "/c", days: [7] },
  });
});
