/** Set-up of tests of remote components: arguments of each component, and outputs of the resources that it creates. */
import { generateKeyPairSync } from "node:crypto";
import { testCa } from "../server.ts";
import { referenceTo } from "./monitor.ts";
import { type Properties, secretOf } from "./properties.ts";

const part = (json: object) => Buffer.from(JSON.stringify(json)).toString("base64url");
export const token = `${part({ alg: "RS256" })}.${part({ sub: "reviewer" })}.c2lnbmF0dXJl`;
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" });
const kubernetesMetadata = { metadata: { name: "made", namespace: "made", uid: "u" } };
/** Outputs of resources, by type. */
export const outputs: Readonly<Record<string, Properties>> = {
  "k8sauth:index:Cluster": {
    host: "https://api.example.com:6443",
    caPem: testCa.certPem,
    issuer: "https://issuer.example",
    jwks: "",
  },
  "k8sauth:index:ReviewerToken": { token: secretOf(token), issuer: "https://issuer.example" },
  "k8sauth:index:SignedCertificate": { certificatePem: testCa.certPem },
  "k8sauth:index:AkeylessAuthMethod": { accessId: "p-123456" },
  "k8sauth:index:AkeylessGatewayAuthConfig": { name: "prod", accessId: "p-123456" },
  "tls:index/privateKey:PrivateKey": { privateKeyPem: secretOf(privateKeyPem), publicKeyPem: "PEM" },
  "kubernetes:core/v1:Namespace": kubernetesMetadata,
  "kubernetes:core/v1:ServiceAccount": kubernetesMetadata,
  "kubernetes:core/v1:Secret": kubernetesMetadata,
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": kubernetesMetadata,
  "kubernetes:core/v1:ConfigMap": kubernetesMetadata,
  "kubernetes:core/v1:Service": kubernetesMetadata,
};

/** A Cluster, as an argument. */
export const cluster = referenceTo("k8sauth:index:Cluster", "prod");
/** References of providers, by package. */
export const providers = {
  kubernetes: "urn:pulumi:dev::test::pulumi:providers:kubernetes::prod::1",
  k8sauth: "urn:pulumi:dev::test::pulumi:providers:k8sauth::prod::2",
};

/** The least that each component needs. */
export const least: Readonly<Record<string, Properties>> = {
  TokenReviewer: { cluster },
  ClientCertificate: { cluster, commonName: "gateway" },
  BearerTokenUser: { cluster, namespace: "shop", clusterRole: "view" },
  GatewayAccount: { namespace: "akeyless", serviceAccountName: "gateway" },
  Verifier: { cluster, audiences: ["orders"] },
  AkeylessGateway: {
    gatewayApi: "https://gateway.example:8000/api/v2",
    authMethod: { name: "/k8s/prod", boundNamespaces: ["shop"] },
    access: { gatewayAccount: { host: "https://kubernetes.default.svc", caPem: "", issuer: "", audience: "" } },
    authConfigName: "prod",
  },
};
