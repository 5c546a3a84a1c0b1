/** What the tests of signed certificates need: keys, requests, deployers, and other people in the cluster. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { certificateRequest } from "../../engine/tls/csr.ts";
import { pem } from "../../engine/tls/pem.ts";
import type { KubeClient } from "../../kube/index.ts";
import { readRequest } from "../../provider/csr.ts";
import { type SigningObject, signingName, signingPath, type Wanted } from "../../provider/signingObject.ts";
import type { Sandbox } from "../../sandbox/index.ts";
import { type Properties, revealed, secretOf } from "../unit/provider/plugin.ts";
import { bindingPath, fresh } from "./providerFixture.ts";

export const certificateType = "k8sauth:index:SignedCertificate";
export const signer = "kubernetes.io/kube-apiserver-client";
export const rbac = "rbac.authorization.k8s.io";

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
  const names = { dnsNames: [], ipAddresses: [], uris: [] };
  const der = await certificateRequest(key, { commonName, organization: options.organization }, names);
  return {
    commonName,
    csrPem: pem("CERTIFICATE REQUEST", der),
    keyPem: key.export({ type: "pkcs8", format: "pem" }).toString(),
  };
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

export async function removeRequests(admin: KubeClient): Promise<void> {
  for (const { metadata } of await requests(admin)) {
    await admin.delete(signingPath(metadata?.name), { ignoreNotFound: true });
  }
}

/** What inputs ask for, to know the name of the object. */
export async function nameOf(inputs: Properties, username: string, uid = ""): Promise<string> {
  const { csrPem, signerName, expirationSeconds, usages } = revealed(inputs);
  const wanted: Wanted = {
    request: await readRequest(String(csrPem)),
    signerName: String(signerName),
    expirationSeconds: Number(expirationSeconds),
    usages: (usages as string[] | undefined) ?? ["digital signature", "client auth"],
  };
  return signingName(wanted, { username, uid });
}

/** A user of their own with rights of their own. */
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
