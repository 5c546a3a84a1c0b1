import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { CertificateAccess } from "../../gateways/index.ts";
import { KubeClient, pathFor } from "../../kubernetes/index.ts";
import { reviewToken } from "../../kubernetes/reviews.ts";
import { certificateRequest } from "../support/crypto/certificateRequest.ts";
import { PushingStack, Workloads } from "../support/gateways/akeylessStack.ts";
import { ExampleShell } from "../support/gateways/exampleShell.ts";
import { adminOf, type Lodging, lodging } from "../support/inventory.ts";
import { TestStack, type Value } from "../support/pulumi/stack.ts";
import { commandsBelow, withValues } from "../support/reader/pageCommands.ts";
import type { Access } from "../support/reviewing.ts";
import { sharedSandbox, workerKubeconfig } from "../support/sandbox.ts";
import { type End, useUntilRefused } from "../support/useUntilRefused.ts";

interface Outputs {
  readonly clusterAccess: Access & CertificateAccess;
  readonly kubeconfigs: Readonly<Record<string, string>>;
  readonly credentials: Readonly<Record<string, { readonly subject: string; readonly epoch: string }>>;
}

/** How long an API server remembers the successful authentication of a token: TokenSuccessCacheTTL of kube-apiserver. */
const rememberedMs = 10_000;

const leakCommands = (heading: string) => commandsBelow("docs/leak.md", heading);
const kubeconfig = workerKubeconfig();
const settings = { kubeconfig, allowLoopbackHost: true, certificateKeyType: "P256" };
const reader = (namespace: string) => ({ namespace, rules: [{ resources: ["pods"], verbs: ["get"] }] });
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;
let shell: ExampleShell;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
beforeEach(async () => {
  home = await lodging(admin);
});
afterEach(async () => {
  await shell?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});
afterAll(() => admin?.close());

async function make(more: Record<string, Value>): Promise<Outputs> {
  stack = await TestStack.make("leak", { ...settings, ...home.settings, ...more });
  await stack.up();
  shell = await openShell();
  return outputs();
}

/** A shell in which the page's first command has been run. */
async function openShell(): Promise<ExampleShell> {
  const opened = await ExampleShell.empty(stack, kubeconfig);
  await opened.run(leakCommands("After a leak").join(""));
  return opened;
}

async function outputs(): Promise<Outputs> {
  return (await stack.outputs()) as unknown as Outputs;
}

function userToken({ kubeconfigs }: Outputs, name = "reader"): string {
  return parse(kubeconfigs[name] ?? "").users[0].user.token;
}

const reviewKind = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
const askWho = (client: KubeClient) =>
  client.create<{ status: { userInfo: { username: string; groups: string[] } } }>(
    pathFor(reviewKind.apiVersion, reviewKind.kind),
    reviewKind,
  );

/** Whether a call is accepted; every other failure than a refusal is a failure of the test. */
async function accepted(call: Promise<unknown>, refusal: string): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    expect((error as { code?: string }).code).toBe(refusal);
    return false;
  }
}

/** Uses a token until it is refused. Reviews for ever other audiences are what the API server cannot remember. */
async function endToken(token: string, end: () => Promise<unknown>): Promise<End> {
  const { server, caPem, issuer } = sharedSandbox();
  using client = KubeClient.direct({ server, caPem, token });
  return useUntilRefused(
    () => accepted(askWho(client), "KUBE_UNAUTHORIZED"),
    async (round) => (await reviewToken(admin, token, [issuer, `round-${round}`])).authenticated,
    end,
  );
}

function certificateClient({ host, caPem, certificatePem, privateKeyPem }: CertificateAccess): KubeClient {
  return KubeClient.direct({ server: host, caPem, certPem: certificatePem, keyPem: privateKeyPem });
}

/** Uses a certificate until its user has lost the right to review. */
async function endCertificate(access: CertificateAccess, user: string, end: () => Promise<unknown>): Promise<End> {
  using client = certificateClient(access);
  return useUntilRefused(
    () => accepted(reviewToken(client, "no token"), "KUBE_FORBIDDEN"),
    () => mayReview(user),
    end,
  );
}

/** Decision of the API server's authorizer about a user. */
async function mayReview(user: string): Promise<boolean> {
  const resourceAttributes = { group: "authentication.k8s.io", resource: "tokenreviews", verb: "create" };
  const kind = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" };
  const { status } = await admin.create<{ status: { allowed: boolean } }>(pathFor(kind.apiVersion, kind.kind), {
    ...kind,
    spec: { user, resourceAttributes },
  } as never);
  return status.allowed;
}

/** A token is refused 10 s after the API server has learned that it ended: for as long it remembers that it was good. */
function expectForgotten({ known, lastAccepted }: End): void {
  expect(lastAccepted).toBeLessThanOrEqual(known + rememberedMs);
}

/** Rights are not remembered. */
function expectAtOnce({ known, lastAccepted }: End): void {
  expect(lastAccepted).toBeLessThanOrEqual(known);
}

const dead = async (token: string) => (await reviewToken(admin, token)).authenticated === false;

describe("the commands of docs/leak.md", () => {
  test("end a token, a user's token and a certificate, and replace them", async () => {
    const { namespace } = home.settings;
    const old = await make({ certificateFlow: true, bearerTokenUsers: { reader: reader(namespace) } });
    const user = old.credentials.certificate?.subject ?? "";
    const [deleteSecret] = leakCommands("A token");
    const [deleteBindings = ""] = leakCommands("A certificate");
    const [ofReviewer, ofUser, ofCertificate] = await Promise.all([
      endToken(old.clusterAccess.token, () => shell.run(withValues(deleteSecret, { name: "token" }))),
      endToken(userToken(old), () => shell.run(withValues(deleteSecret, { name: "reader" }))),
      endCertificate(old.clusterAccess, user, () => shell.run(deleteBindings)),
    ]);
    expectForgotten(ofReviewer);
    expectForgotten(ofUser);
    expectAtOnce(ofCertificate);
    // A certificate without rights still authenticates.
    using client = certificateClient(old.clusterAccess);
    expect((await askWho(client)).status.userInfo).toMatchObject({
      username: user,
      groups: ["system:authenticated"],
    });

    const [replaceAll = "", replaceUser = ""] = leakCommands("2. Replace it");
    await shell.run(replaceAll);
    const fresh = await outputs();
    const epoch = expect.stringMatching(/^leak-\d{4}-\d\d-\d\d-\d{4}$/);
    expect(fresh.credentials).toMatchObject({ token: { epoch }, reader: { epoch }, certificate: { epoch } });
    expect((await reviewToken(admin, fresh.clusterAccess.token)).authenticated).toBe(true);
    using replaced = certificateClient(fresh.clusterAccess);
    expect(await accepted(reviewToken(replaced, "no token"), "KUBE_FORBIDDEN")).toBe(true);
    expect(await Promise.all([old.clusterAccess.token, userToken(old)].map(dead))).toEqual([true, true]);
    expect(await mayReview(user)).toBe(false);

    // The user alone: without an outage, the same run revokes the old token.
    const another = withValues(replaceUser.replaceAll("leak-", "user-"), {});
    const rotated = await endToken(userToken(fresh), () => shell.run(`name=reader\n${another}`));
    expectForgotten(rotated);
    const last = await outputs();
    expect((await reviewToken(admin, userToken(last))).authenticated).toBe(true);
    expect(last.clusterAccess.token).toBe(fresh.clusterAccess.token);
  });

  test("end and replace the reviewer's token by the short way", async () => {
    const old = (await make({})).clusterAccess.token;
    const [all = ""] = leakCommands("A leaked reviewer token, in short");
    expectForgotten(await endToken(old, () => shell.run(all)));
    const { clusterAccess, credentials } = await outputs();
    expect((await reviewToken(admin, clusterAccess.token)).authenticated).toBe(true);
    expect(credentials.token?.epoch).toMatch(/^leak-/);
    expect(await dead(old)).toBe(true);
  });

  test("replace a token in two steps, and the old one is accepted until the second", async () => {
    const old = (await make({})).clusterAccess.token;
    const [first = "", second = ""] = leakCommands("In two steps")
      .join("")
      .split(/^# Send .*\n/m);
    await shell.run(first);
    const fresh = await outputs();
    expect(fresh.clusterAccess.token).not.toBe(old);
    expect((await reviewToken(admin, old)).authenticated).toBe(true);
    expectForgotten(await endToken(old, () => shell.run(second)));
    expect((await outputs()).clusterAccess.token).toBe(fresh.clusterAccess.token);
  });

  test("replace the certificate of a request that the user supplied, whose old user loses its rights", async () => {
    const [first, second] = ["gateway-1", "gateway-2"].map((commonName) => {
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
      return { keyPem, csr: certificateRequest(privateKey, { commonName }) };
    }) as [{ keyPem: string; csr: string }, { keyPem: string; csr: string }];
    stack = await TestStack.make("leak", {
      ...settings,
      tokenFlow: false,
      certificateFlow: true,
      certificateCommonName: "gateway-1",
      certificateRequest: first.csr,
    });
    await stack.configureSecret("certificateKey", first.keyPem);
    await stack.up();
    const { clusterAccess: access } = await outputs();
    shell = await openShell();
    await writeFile(join(shell.folder, "gateway-2.csr"), second.csr);
    await writeFile(join(shell.folder, "gateway-2.key"), second.keyPem);
    const [, , replace = ""] = leakCommands("2. Replace it");
    expectAtOnce(await endCertificate(access, "gateway-1", () => shell.run(replace)));
    using replaced = certificateClient((await outputs()).clusterAccess);
    expect(await accepted(reviewToken(replaced, "no token"), "KUBE_FORBIDDEN")).toBe(true);
  });

  test("end the token of a pod", async () => {
    await make({});
    await using workloads = await Workloads.make(admin);
    const token = await workloads.token("gateway", { pod: "gateway-0" });
    const [deletePod] = leakCommands("The token of a pod");
    const values = { namespace: workloads.namespace, pod: "gateway-0" };
    expectForgotten(await endToken(token, () => shell.run(withValues(deletePod, values))));
  });

  test("take the rights of a verifier's account, and of no other", async () => {
    await make({});
    const [kind, apiVersion] = ["ClusterRoleBinding", "rbac.authorization.k8s.io/v1"];
    const bindings = pathFor(apiVersion, kind);
    const bind = async (namespace: string) => {
      const metadata = { name: `k8sauth-test-leak-${namespace}` };
      const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:auth-delegator" };
      const subjects = [{ kind: "ServiceAccount", name: "verifier", namespace }];
      await admin.create(bindings, { apiVersion, kind, metadata, roleRef, subjects });
      return pathFor(apiVersion, kind, undefined, metadata.name);
    };
    const { namespace } = home.settings;
    const [own, other] = [await bind(namespace), await bind("default")];
    try {
      const [deleteBindings] = leakCommands("The verifier");
      await shell.run(withValues(deleteBindings, { namespace }));
      expect(await admin.find(own)).toBeUndefined();
      expect(await admin.find(other)).toBeDefined();
    } finally {
      for (const path of [own, other]) await admin.delete(path, { ignoreNotFound: true });
    }
  });

  test("replace the signing key at Akeyless, and workloads log in by the new one", async () => {
    await using workloads = await Workloads.make(admin);
    await using pushing = await PushingStack.make("leaked-key", kubeconfig, {
      ...home.settings,
      akeylessAuthMethod: { boundNamespaces: [workloads.namespace] },
    });
    await pushing.stack.up();
    await using akeyless = await ExampleShell.empty(pushing.stack, kubeconfig);
    const keyOf = () => pushing.gateway.configs.get("k8s-conf")?.auth_method_prv_key_pem;
    const leaked = keyOf();
    const jwt = await workloads.token("shop");
    await pushing.logIn(jwt);
    const [replaceKey = ""] = leakCommands("The signing key at Akeyless");
    await akeyless.run(replaceKey);
    expect(keyOf()).not.toBe(leaked);
    await pushing.logIn(jwt);
    // The leaked key no longer signs what Akeyless accepts.
    const config = pushing.gateway.configs.get("k8s-conf");
    pushing.gateway.configs.set("k8s-conf", { ...config, auth_method_prv_key_pem: leaked } as never);
    await expect(pushing.logIn(jwt)).rejects.toThrow(/signature is invalid/);
  });
});
