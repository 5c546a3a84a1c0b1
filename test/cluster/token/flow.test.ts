import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KubeClient, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { reviewToken } from "../../../kubernetes/reviews.ts";
import { added, adminOf, inventory, tokenFlowObjects } from "../../support/inventory.ts";
import type { Result as UpdateResult } from "../../support/pulumi/stack.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { sharedSandbox, workerKubeconfig } from "../../support/sandbox.ts";

interface Outputs {
  readonly authConfigs: { readonly token: Record<string, Record<string, string>> };
  readonly clusterAccess: Record<"host" | "caPem" | "issuer" | "token" | "audience", string>;
  readonly workloadLogin: { readonly token: object; readonly akeyless?: object };
  readonly notes: readonly string[];
  readonly cluster: Record<string, unknown>;
  readonly credentials: { readonly token: Record<string, string> };
}

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let before: string[];
let stack: TestStack;
let first: UpdateResult;
let outputs: Outputs;
let warnings: string[];
let server: string;
let caPem: string;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  ({ server, caPem } = await loadConnection({ kubeconfig }, {}));
  before = await inventory(admin);
  stack = await TestStack.make("flow", { kubeconfig, allowLoopbackHost: true });
  first = await stack.up();
  warnings = stack.events.flatMap((event) =>
    event.kind === "diagnostic" && ["warning", "error"].includes(event.severity) ? [event.message] : [],
  );
  outputs = (await stack.outputs()) as unknown as Outputs;
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  admin?.close();
});

describe("an up from nothing", () => {
  test("warns of nothing", () => {
    expect(warnings).toEqual([]);
  });

  test("creates the objects of the documents, in its own namespace and with its own cluster-wide names", async () => {
    expect(added(before, await inventory(admin))).toEqual(tokenFlowObjects);
  });

  test("gives the reviewer a role that may create TokenReviews and nothing else", async () => {
    const role = (await inventory(admin)).find(
      (name) => /^ClusterRole gateway-token-reviewer-/.test(name) && !before.includes(name),
    );
    const name = role?.split(" ")[1] ?? "";
    const { rules } = await admin.get(pathFor("rbac.authorization.k8s.io/v1", "ClusterRole", undefined, name));
    expect(rules).toEqual([{ apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] }]);
  });

  test("makes no token for pods and touches no Secret list of the account", async () => {
    const { namespace = "" } = outputs.credentials.token;
    const account = await admin.get(pathFor("v1", "ServiceAccount", namespace, "gateway-token-reviewer"));
    expect(account.automountServiceAccountToken).toBe(false);
    expect(account.secrets).toBeUndefined();
  });

  test("outputs host and CA of the kubeconfig and the issuer of workloads' tokens", () => {
    expect(outputs.clusterAccess).toMatchObject({
      host: server,
      caPem,
      issuer: "https://kubernetes.default.svc.cluster.local",
      audience: "",
    });
    expect(outputs.cluster).toMatchObject({
      host: server,
      caFingerprint: new X509Certificate(caPem).fingerprint256,
      issuer: "https://kubernetes.default.svc.cluster.local",
      issuerSource: "discovery",
      issuerValidation: false,
      version: sharedSandbox().kubernetes,
      distribution: "Kubernetes",
    });
  });

  test("outputs a token of the reviewer that reviews itself", async () => {
    const { token } = outputs.clusterAccess;
    using reviewer = KubeClient.direct({ server, caPem, token, label: "the reviewer" });
    const { namespace = "", subject } = outputs.credentials.token;
    expect(await reviewToken(reviewer, token)).toMatchObject({ authenticated: true, username: subject });
    expect(subject).toBe(`system:serviceaccount:${namespace}:gateway-token-reviewer`);
    const payload = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as object;
    expect(payload).toMatchObject({
      "kubernetes.io/serviceaccount/secret.name": "gateway-token-reviewer-token",
      "kubernetes.io/serviceaccount/namespace": namespace,
    });
    expect(payload).not.toHaveProperty("exp");
    expect(outputs.credentials.token).toMatchObject({ kind: "Secret", notAfter: "", notBefore: "" });
  });

  test("outputs the auth configs of Vault and OpenBao exactly", () => {
    const config = {
      kubernetes_host: server,
      kubernetes_ca_cert: caPem,
      token_reviewer_jwt: outputs.clusterAccess.token,
      disable_local_ca_jwt: true,
    };
    expect(outputs.authConfigs.token).toEqual({ vault: config, openbao: config });
    expect(config.kubernetes_ca_cert).toMatch(/-----END CERTIFICATE-----\n$/);
  });

  test("has no note and no login for Akeyless, for which nothing is set", () => {
    expect(outputs.notes).toEqual([]);
    expect(outputs.workloadLogin).not.toHaveProperty("akeyless");
  });
});

test("a second up changes nothing, in the cluster or in the state", async () => {
  const state = await readState();
  const objects = await inventory(admin);
  const { changes } = await stack.up();
  expect(changes).toEqual({ same: first.changes.create });
  expect(stack.steps).toEqual([]);
  expect(await inventory(admin)).toEqual(objects);
  expect(await readState()).toEqual(state);
});

test("a refresh after an up finds no difference, and neither does the preview after it", async () => {
  const { changes } = await stack.refresh();
  expect(Object.keys(changes)).toEqual(["same"]);
  expect((await stack.preview()).changes).toEqual({ same: first.changes.create });
});

test("with access id and signing key the auth config of Akeyless is exact", async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs1", format: "pem" }) as string;
  const signingKey = Buffer.from(pem).toString("base64");
  await stack.configureSecret("akeylessSigningKey", signingKey);
  await stack.configure({
    akeylessAccessId: "p-0123456789ab",
    akeylessGatewayUrl: "https://gateway.example:8000",
    validateIssuer: true,
  });
  await stack.up();
  const { authConfigs, workloadLogin, notes } = (await stack.outputs()) as unknown as Outputs;
  const { akeyless = {} } = authConfigs.token;
  expect(akeyless).toEqual({
    name: "k8s-conf",
    "access-id": "p-0123456789ab",
    "signing-key": signingKey,
    "cluster-api-type": "native_k8s",
    "k8s-auth-type": "token",
    "k8s-host": server,
    "k8s-ca-cert": Buffer.from(caPem).toString("base64"),
    "token-reviewer-jwt": outputs.clusterAccess.token,
    "k8s-issuer": "https://kubernetes.default.svc.cluster.local",
    "disable-issuer-validation": "false",
  });
  expect(notes).toEqual([]);
  expect(workloadLogin.akeyless).toMatchObject({
    accessType: "k8s",
    accessId: "p-0123456789ab",
    gatewayUrl: "https://gateway.example:8000",
    k8sAuthConfigName: "k8s-conf",
    k8sTokenPath: "/var/run/secrets/k8sauth/token",
  });
});

/** The resources of the state by name, secrets in the clear: the engine encrypts them anew, and keeps lists of URNs in no order. */
async function readState(): Promise<unknown> {
  const { deployment } = JSON.parse(await stack.command("stack", "export", "--show-secrets")) as {
    deployment: {
      resources: { urn: string; dependencies?: string[]; propertyDependencies?: Record<string, string[]> }[];
    };
  };
  return Object.fromEntries(
    deployment.resources.map(({ urn, dependencies = [], propertyDependencies = {}, ...rest }) => {
      const ofProperties = Object.entries(propertyDependencies).map(([name, urns]) => [name, urns.toSorted()]);
      return [urn, { ...rest, dependencies: dependencies.toSorted(), ofProperties: Object.fromEntries(ofProperties) }];
    }),
  );
}
