/** Kubeconfigs, as kubectl and the connection read them, in a folder of each test. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeAll, beforeEach } from "vitest";
import { isKubeError, loadConnection } from "../../../kubernetes/index.ts";
import { ensureBinary } from "../../../sandbox/build/kubernetes.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";

export const ca = makeCertificate({ commonName: "ca" });
export const otherCa = makeCertificate({ commonName: "other ca" });
export const client = makeCertificate({ commonName: "client", issuer: ca });
export const base64 = (text: string) => Buffer.from(text).toString("base64");
export let binary: string;
export let folder: string;

beforeAll(async () => {
  binary = await ensureBinary();
}, 600_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kubectl-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface View {
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string | undefined>> }[];
  readonly users: readonly { readonly user: Readonly<Record<string, string | undefined>> }[];
  readonly contexts: readonly { readonly context: Readonly<Record<string, string | undefined>> }[];
}

/** Result of a kubeconfig: "refused", or the parts of the connection. */
type Outcome = "refused" | Readonly<Record<string, string | undefined>>;

export async function kubectlReads(env: NodeJS.ProcessEnv): Promise<Outcome> {
  const args = ["kubectl", "config", "view", "--minify", "--raw", "--flatten", "--output", "json"];
  const { PATH } = process.env;
  const printed = await new Promise<string | undefined>((resolve) => {
    execFile(binary, args, { env: { PATH, ...env }, cwd: folder }, (error, stdout) => {
      resolve(error ? undefined : stdout);
    });
  });
  if (printed === undefined) return "refused";
  const view = JSON.parse(printed) as View;
  const [cluster, user, context] = [view.clusters[0]?.cluster, view.users[0]?.user, view.contexts[0]?.context];
  const pem = (data: string | undefined) => data && Buffer.from(data, "base64").toString();
  return {
    server: cluster?.server,
    ca: pem(cluster?.["certificate-authority-data"])?.replaceAll("\r", ""),
    tlsServerName: cluster?.["tls-server-name"],
    namespace: context?.namespace ?? "default",
    certificate: pem(user?.["client-certificate-data"]),
    key: pem(user?.["client-key-data"]),
    authorization: user?.token && `Bearer ${user.token}`,
    impersonates: user?.as,
  };
}

export async function weRead(env: NodeJS.ProcessEnv): Promise<Outcome> {
  try {
    const connection = await loadConnection({}, env);
    const { certPem, keyPem, authorization } = await connection.credentials.get();
    return {
      server: connection.server,
      ca: connection.caPem || undefined,
      tlsServerName: connection.tlsServerName,
      namespace: connection.namespace,
      certificate: certPem,
      key: keyPem,
      authorization,
      impersonates: connection.impersonation["Impersonate-User"] as string | undefined,
    };
  } catch (error) {
    if (isKubeError(error)) return "refused";
    throw error;
  }
}

export type Content = string | Buffer;

/** Writes files, and gives the KUBECONFIG that lists those whose name ends with "config". */
export function write(files: Readonly<Record<string, Content>>): NodeJS.ProcessEnv {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  const listed = Object.keys(files).filter((name) => name.endsWith("config"));
  return { KUBECONFIG: listed.map((name) => join(folder, name)).join(delimiter), HOME: folder };
}

export interface Parts {
  readonly cluster?: string;
  readonly user?: string;
  readonly context?: string;
  readonly users?: string;
  readonly before?: string;
  readonly after?: string;
}

export function yaml({
  cluster = "",
  user = "{token: t1}",
  context = "",
  users = "",
  before = "",
  after = "",
}: Parts = {}) {
  return `${before}apiVersion: v1
kind: Config
current-context: dev
clusters:
- name: c1
  cluster: {server: "https://c1.example:6443"${cluster && `, ${cluster}`}}
users:
- name: u1
  user: ${user}
${users && `${users}\n`}contexts:
- name: dev
  context: {cluster: c1, user: u1${context && `, ${context}`}}
${after}`;
}

export const utf16 = (mark: readonly number[], bytes: Buffer) => Buffer.concat([Buffer.from(mark), bytes]);
export const little = Buffer.from(yaml(), "utf16le");
export const json = JSON.stringify({
  "current-context": "dev",
  clusters: [{ name: "c1", cluster: { server: "https://j.example" } }],
  users: [{ name: "u1", user: { token: "j" } }],
  contexts: [{ name: "dev", context: { cluster: "c1", user: "u1" } }],
});
export const jane = "x: &jane {token: t2, as: jane}\n";
