/** Set-up of the plugin's tests on a real cluster: kubeconfigs for users, objects of the token flow, faulty ways to the server. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { KubeClient, type KubeObject, loadConnection, pathFor } from "../../kubernetes/index.ts";
import { makeCertificate } from "../../sandbox/cluster/certificate.ts";
import type { KeyPair, Sandbox } from "../../sandbox/index.ts";

export const clusterType = "k8sauth:index:Cluster";
export const reviewerType = "k8sauth:index:ReviewerToken";
const rbac = "rbac.authorization.k8s.io/v1";
const base64 = (text: string) => Buffer.from(text).toString("base64");

export function kubeconfigFor(server: string, caPem: string, user: KeyPair | { readonly token: string }): string {
  const credential =
    "token" in user
      ? { token: user.token }
      : { "client-certificate-data": base64(user.certPem), "client-key-data": base64(user.keyPem) };
  return JSON.stringify({
    "current-context": "test",
    clusters: [{ name: "test", cluster: { server, "certificate-authority-data": base64(caPem) } }],
    users: [{ name: "tester", user: credential }],
    contexts: [{ name: "test", context: { cluster: "test", user: "tester" } }],
  });
}

export async function adminClient(sandbox: Sandbox): Promise<KubeClient> {
  return new KubeClient(await loadConnection({ kubeconfig: sandbox.kubeconfig }, {}));
}

let count = 0;

/** A name that no other test uses. */
export function fresh(prefix: string): string {
  return `${prefix}-${process.pid}-${++count}`;
}

export function bindingOf(
  name: string,
  namespace: string,
  account: string,
  role = "system:auth-delegator",
): KubeObject {
  return {
    apiVersion: rbac,
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
    subjects: [{ kind: "ServiceAccount", name: account, namespace }],
  };
}

export const bindingPath = (name?: string) => pathFor(rbac, "ClusterRoleBinding", undefined, name);

export interface Reviewer {
  readonly namespace: string;
  readonly binding: string;
  /** Inputs of a ReviewerToken, without kubeconfig. */
  readonly inputs: {
    readonly host: string;
    readonly caPem: string;
    readonly issuer: string;
    readonly namespace: string;
    readonly serviceAccountName: string;
    readonly serviceAccountUid: string;
    readonly secretName: string;
    readonly secretUid: string;
    readonly proveHost: boolean;
  };
}

/** Namespace, account, binding and token Secret, as the components create them. */
export async function makeReviewer(
  admin: KubeClient,
  sandbox: Pick<Sandbox, "server" | "caPem">,
  options: { bound?: boolean } = {},
): Promise<Reviewer> {
  const namespace = fresh("reviewer");
  const serviceAccountName = "gateway-token-reviewer";
  const secretName = "gateway-token-reviewer-token";
  await admin.create(pathFor("v1", "Namespace"), {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: namespace },
  });
  const account = await admin.create(pathFor("v1", "ServiceAccount", namespace), {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: serviceAccountName },
  });
  if (options.bound !== false) await admin.create(bindingPath(), bindingOf(namespace, namespace, serviceAccountName));
  const secret = await admin.create(pathFor("v1", "Secret", namespace), {
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/service-account-token",
    metadata: { name: secretName, annotations: { "kubernetes.io/service-account.name": serviceAccountName } },
  });
  return {
    namespace,
    binding: namespace,
    inputs: {
      host: sandbox.server,
      caPem: sandbox.caPem,
      issuer: "",
      namespace,
      serviceAccountName,
      serviceAccountUid: account.metadata?.uid ?? "",
      secretName,
      secretUid: secret.metadata?.uid ?? "",
      proveHost: true,
    },
  };
}

export const secretPath = (reviewer: Reviewer) =>
  pathFor("v1", "Secret", reviewer.namespace, reviewer.inputs.secretName);
export const accountPath = (reviewer: Reviewer) =>
  pathFor("v1", "ServiceAccount", reviewer.namespace, reviewer.inputs.serviceAccountName);

export interface Proxy extends AsyncDisposable {
  readonly url: string;
}

/** Passes bytes to the server from another address of this machine. */
export async function tcpProxy(server: string, address = "127.0.0.1"): Promise<Proxy> {
  const target = new URL(server);
  const sockets = new Set<Socket>();
  const proxy = createTcpServer((socket) => {
    const upstream = connect(Number(target.port), target.hostname);
    sockets.add(socket).add(upstream);
    socket.pipe(upstream).pipe(socket);
    for (const end of [socket, upstream]) end.on("error", () => end.destroy());
  });
  proxy.listen(0, address);
  await once(proxy, "listening");
  return {
    url: `https://${address}:${(proxy.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    },
  };
}

export interface TlsProxy extends Proxy {
  readonly caPem: string;
}

/** Terminates TLS with its own CA, and answers some requests itself instead of the server. Credentials must be tokens. */
export async function faultyProxy(
  sandbox: Sandbox,
  fault: (method: string, path: string) => { readonly status: number; readonly message: string } | undefined,
): Promise<TlsProxy> {
  const ca = makeCertificate({ commonName: "proxy-ca" });
  const identity = makeCertificate({ commonName: "proxy", issuer: ca, names: ["127.0.0.1"] });
  const { request } = await import("node:https");
  const proxy = createTlsServer({ cert: identity.certPem, key: identity.keyPem }, (incoming, outgoing) => {
    const injected = fault(incoming.method ?? "", incoming.url ?? "");
    if (injected !== undefined) {
      incoming.resume();
      outgoing.writeHead(injected.status, { "Content-Type": "application/json" });
      outgoing.end(
        JSON.stringify({ kind: "Status", status: "Failure", code: injected.status, message: injected.message }),
      );
      return;
    }
    const upstream = request(
      sandbox.server + incoming.url,
      { method: incoming.method, headers: incoming.headers, ca: sandbox.caPem, agent: false },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    upstream.on("error", () => outgoing.destroy());
    incoming.pipe(upstream);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    url: `https://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    caPem: ca.certPem,
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}

/** A token with all rights, for ways to the server that no client certificate can go. */
export async function adminToken(admin: KubeClient): Promise<string> {
  const name = fresh("admin");
  await admin.create(pathFor("v1", "ServiceAccount", "default"), {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name },
  });
  await admin.create(bindingPath(), bindingOf(name, "default", name, "cluster-admin"));
  const path = `${pathFor("v1", "ServiceAccount", "default", name)}/token`;
  const answer = await admin.create<{ status: { token: string } }>(path, { spec: {} });
  return answer.status.token;
}

/** The admin's private key as it stands in the sandbox's kubeconfig, to search for. */
export function adminKeyData(sandbox: Sandbox): string {
  const found = /client-key-data: (\S+)/.exec(readFileSync(sandbox.kubeconfig, "utf8"))?.[1];
  if (!found) throw new Error("the sandbox's kubeconfig holds no key");
  return found;
}
