/** Set-up of the tests of signed certificates: keys, requests, deployers, and other people in the cluster. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { KubeClient } from "../../../kubernetes/index.ts";
import { reviewSelf } from "../../../kubernetes/reviews.ts";
import { readRequest } from "../../../provider/certificate/csr.ts";
import {
  type CertificateSpec,
  type SigningObject,
  signingName,
  signingPath,
} from "../../../provider/certificate/signingObject.ts";
import { type Sandbox, startSandbox } from "../../../sandbox/index.ts";
import { certificateRequest } from "../../support/crypto/certificateRequest.ts";
import { deleteAll } from "../../support/inventory.ts";
import { type FakeEngine, startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { type Properties, revealed, secretOf } from "../../support/plugin/properties.ts";
import { FaultProxy } from "../../support/proxies/faultProxy.ts";
import { adminClient, adminKeyData, adminToken, bindingPath, fresh, kubeconfigFor } from "../providerFixture.ts";

export const certificateType = "k8sauth:index:SignedCertificate";
export const signer = "kubernetes.io/kube-apiserver-client";
const rbac = "rbac.authorization.k8s.io";

export interface Request {
  readonly commonName: string;
  readonly csrPem: string;
  readonly keyPem: string;
}

export async function makeRequest(
  commonName = fresh("gateway"),
  options: { readonly key?: KeyObject; readonly organization?: string } = {},
): Promise<Request> {
  const key = options.key ?? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  keys.add(key.export({ type: "pkcs8", format: "pem" }).toString().split("\n")[1] ?? "");
  return {
    commonName,
    csrPem: certificateRequest(key, { commonName, ...options }),
    keyPem: key.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** Everything that the tests of a file share, made before and put away after them. */
export interface Bench {
  sandbox: Sandbox;
  admin: KubeClient;
  engine: FakeEngine;
  plugin: Plugin;
  /** In front of the sandbox; deployers come through it with `token`. */
  proxy: FaultProxy;
  token: string;
}

const keys = new Set<string>();

/** Sets the bench up for the tests of a file; in the end nothing secret may have been seen anywhere. */
export function useBench(name: string): Bench {
  const bench = {} as Bench;
  beforeAll(async () => {
    bench.sandbox = await startSandbox({ name, ephemeral: true });
    bench.admin = await adminClient(bench.sandbox);
    bench.token = await adminToken(bench.admin);
    bench.proxy = await FaultProxy.start(bench.sandbox);
    bench.engine = await startEngine();
    bench.plugin = await Plugin.start(bench.engine);
  });
  beforeEach(() => {
    bench.engine.lines.length = 0;
    bench.proxy.clear();
  });
  afterEach(() => removeRequests(bench.admin));
  afterAll(async () => {
    const { sandbox, admin, engine, plugin, proxy, token } = bench;
    const seen = JSON.stringify([plugin?.traffic, plugin?.output, said(bench)]);
    const secrets = sandbox ? [token, adminKeyData(sandbox), ...keys] : [];
    await plugin?.[Symbol.asyncDispose]();
    engine?.stop();
    await proxy?.[Symbol.asyncDispose]();
    admin?.close();
    await sandbox?.stop();
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(20);
      expect(seen).not.toContain(secret);
    }
    expect(seen).not.toContain("PRIVATE KEY");
  });
  return bench;
}

/** Messages that the user sees, without progress. */
export function said({ engine }: Bench, ...severities: ("info" | "warning")[]): string {
  return engine.lines
    .filter((line) => !line.ephemeral && (severities.length === 0 || (severities as string[]).includes(line.severity)))
    .map((line) => line.message)
    .join("\n");
}

/** A request whose user has the reviewer's rights. */
export async function bound({ admin }: Bench, options: Parameters<typeof makeRequest>[1] = {}): Promise<Request> {
  const request = await makeRequest(undefined, options);
  await bindUser(admin, request.commonName);
  return request;
}

/** Gives the certificate's user the reviewer's rights, as the component does before. */
export async function bindUser(admin: KubeClient, commonName: string, role = "system:auth-delegator"): Promise<string> {
  const name = fresh("user");
  await admin.create(bindingPath(), {
    apiVersion: `${rbac}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: rbac, kind: "ClusterRole", name: role },
    subjects: [{ apiGroup: rbac, kind: "User", name: commonName }],
  });
  return name;
}

/** Inputs as the engine hands them to create: checked, with defaults. */
export function certificateInputs(
  at: { readonly server: string; readonly caPem: string },
  kubeconfig: string,
  request: Request,
  more: object = {},
): Properties {
  return {
    kubeconfig: secretOf(kubeconfig),
    host: at.server,
    caPem: at.caPem,
    proveHost: true,
    csrPem: request.csrPem,
    privateKeyPem: secretOf(request.keyPem),
    signerName: signer,
    expirationSeconds: 600,
    approval: "auto",
    proof: "tokenReview",
    ...more,
  };
}

/** The requests that are in the cluster. */
export async function requests(admin: KubeClient): Promise<SigningObject[]> {
  return (await admin.get<{ items: SigningObject[] }>(signingPath())).items;
}

/** Waits until it is so; 5 s at most. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 5_000; !(await condition()); ) {
    if (performance.now() > deadline) throw new Error("it did not happen within 5 s");
    await sleep(10);
  }
}

export interface Posted extends SigningObject {
  readonly metadata: { readonly name: string; readonly uid: string };
}

/** Waits for a request of ours to be there. */
export async function posted(admin: KubeClient): Promise<Posted> {
  let found: SigningObject | undefined;
  await until(async () => {
    [found] = await requests(admin);
    return found !== undefined;
  });
  return found as Posted;
}

export async function decide(
  admin: KubeClient,
  type: "Approved" | "Denied",
  message = "decided by a test",
): Promise<void> {
  const { metadata } = await posted(admin);
  const path = signingPath(metadata.name);
  const copy = await admin.get<SigningObject>(path);
  const conditions = [{ type, status: "True", reason: "ByATest", message }];
  await admin.replace(`${path}/approval`, { ...copy, status: { conditions } });
}

export const removeRequests = (admin: KubeClient) => deleteAll(admin, signingPath());

/** The request that inputs describe, from which the object's name follows. */
export async function nameOf(inputs: Properties, username: string, uid = ""): Promise<string> {
  const { csrPem, signerName, expirationSeconds, usages } = revealed(inputs);
  const wanted: CertificateSpec = {
    request: await readRequest(String(csrPem)),
    signerName: String(signerName),
    expirationSeconds: Number(expirationSeconds),
    usages: (usages as string[] | undefined) ?? ["digital signature", "client auth"],
  };
  return signingName(wanted, { username, uid });
}

/** A separate user with separate rights. */
export async function makeDeployer(
  admin: KubeClient,
  sandbox: Sandbox,
  rules: readonly object[],
): Promise<{ readonly commonName: string; readonly certPem: string; readonly keyPem: string }> {
  const commonName = fresh("deployer");
  const role = fresh("role");
  await admin.create(`/apis/${rbac}/v1/clusterroles`, {
    apiVersion: `${rbac}/v1`,
    kind: "ClusterRole",
    metadata: { name: role },
    rules,
  });
  await bindUser(admin, commonName, role);
  return { commonName, ...(await sandbox.issueClientCertificate({ commonName })) };
}

/** Paths of requests, for faults of the proxy. */
export const paths = {
  collection: /\/certificatesigningrequests$/,
  object: /\/certificatesigningrequests\/[^/]+$/,
  approval: /\/certificatesigningrequests\/[^/]+\/approval$/,
  any: /certificatesigningrequests/,
  selfReview: /selfsubjectreviews$/,
};

/** Inputs of a deployer that goes through the proxy; the certificate is proved at the server itself. */
export function proxiedInputs({ sandbox, proxy, token }: Bench, request: Request, more: object = {}): Properties {
  return certificateInputs(sandbox, kubeconfigFor(proxy.url, proxy.caPem, { token }), request, more);
}

/** Creates a certificate without the proxy. */
export async function createDirectly({ sandbox, plugin }: Bench, request: Request, more: object = {}) {
  const inputs = certificateInputs(sandbox, sandbox.kubeconfig, request, more);
  const { id, outputs } = await plugin.create(certificateType, inputs);
  return { id, outputs, inputs };
}

/** The user of a certificate, as the API server names it. */
export async function userOf({ sandbox }: Bench, certPem: string, keyPem: string): Promise<string | undefined> {
  const { server, caPem } = sandbox;
  using client = KubeClient.direct({ server, caPem, certPem, keyPem });
  return (await reviewSelf(client))?.username;
}
