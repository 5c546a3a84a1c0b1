/** Namespaces, ServiceAccounts and tokens for the verifier, and the verifier itself as it is deployed: one file, few permissions. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { KubeClient, loadConnection, pathFor } from "../../kube/index.ts";
import { bundleVerifier } from "../../verifier/bundle.ts";
import { ask, type Reply, until } from "../unit/verifier/support.ts";

export const audience = "verifier.k8sauth.test";
const rbac = "rbac.authorization.k8s.io/v1";
const rbacGroup = "rbac.authorization.k8s.io";

export interface Bound {
  readonly kind: "Pod" | "Secret";
  readonly name: string;
}

/** One namespace of one cluster, with a ServiceAccount for the verifier and ways to make callers. */
export class Cluster implements AsyncDisposable {
  readonly admin: KubeClient;
  readonly server: string;
  readonly namespace: string;
  readonly folder = mkdtempSync(join(tmpdir(), "verifier-cluster-"));
  readonly caFile: string;
  readonly tokenFile: string;
  #count = 0;

  private constructor(admin: KubeClient, server: string, caPem: string) {
    this.admin = admin;
    this.server = server;
    this.namespace = `verifier-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
    this.caFile = this.write("ca.crt", caPem);
    this.tokenFile = join(this.folder, "token");
  }

  static async make(kubeconfig: string): Promise<Cluster> {
    const connection = await loadConnection({ kubeconfig }, {});
    const cluster = new Cluster(new KubeClient(connection), connection.server, connection.caPem);
    await cluster.admin.create(pathFor("v1", "Namespace"), object("v1", "Namespace", cluster.namespace));
    await cluster.account("verifier");
    await cluster.grant("verifier");
    cluster.write("token", await cluster.token("verifier", null));
    return cluster;
  }

  fresh(prefix: string): string {
    this.#count += 1;
    return `${prefix}-${this.#count}`;
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  async account(name: string): Promise<void> {
    await this.admin.create(pathFor("v1", "ServiceAccount", this.namespace), object("v1", "ServiceAccount", name));
  }

  /** Lets a ServiceAccount create TokenReviews, and do nothing else. */
  async grant(account: string): Promise<void> {
    const name = `${this.namespace}-${account}`;
    const rules = [{ apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] }];
    await this.admin.create(pathFor(rbac, "ClusterRole"), { ...object(rbac, "ClusterRole", name), rules });
    await this.admin.create(pathFor(rbac, "ClusterRoleBinding"), {
      ...object(rbac, "ClusterRoleBinding", name),
      roleRef: { apiGroup: rbacGroup, kind: "ClusterRole", name },
      subjects: [{ kind: "ServiceAccount", name: account, namespace: this.namespace }],
    });
  }

  /** A pod that nobody runs: tokens can be bound to it all the same. */
  async pod(account: string): Promise<string> {
    const name = this.fresh("pod");
    await this.admin.create(pathFor("v1", "Pod", this.namespace), {
      ...object("v1", "Pod", name),
      spec: { serviceAccountName: account, containers: [{ name: "main", image: "localhost/none:1" }] },
    });
    return name;
  }

  async secret(more: object = {}): Promise<string> {
    const name = this.fresh("secret");
    await this.admin.create(pathFor("v1", "Secret", this.namespace), { ...object("v1", "Secret", name), ...more });
    return name;
  }

  async remove(kind: "Pod" | "Secret" | "ServiceAccount", name: string): Promise<void> {
    const options = kind === "Pod" ? { query: { gracePeriodSeconds: 0 } } : {};
    await this.admin.delete(pathFor("v1", kind, this.namespace, name), options);
  }

  /** A token as kubelet projects it; `null` is the API server's audience. */
  async token(account: string, forAudience: string | null = audience, bound?: Bound): Promise<string> {
    const spec = {
      audiences: forAudience === null ? undefined : [forAudience],
      expirationSeconds: 3600,
      boundObjectRef: bound && { apiVersion: "v1", ...bound },
    };
    const path = `${pathFor("v1", "ServiceAccount", this.namespace, account)}/token`;
    const made = await this.admin.create<{ status: { token: string } }>(path, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec,
    });
    return made.status.token;
  }

  /** Settings of the verifier for this cluster. */
  settings(more: object = {}): object {
    return { apiServer: this.server, apiCaFile: this.caFile, apiTokenFile: this.tokenFile, audience, ...more };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
    await this.admin
      .delete(pathFor("v1", "Namespace", undefined, this.namespace), { ignoreNotFound: true })
      .catch(() => {});
    this.admin.close();
  }
}

function object(apiVersion: string, kind: string, name: string) {
  return { apiVersion, kind, metadata: { name } };
}

/** The bundle as a process under Node's permission model. */
export class VerifierProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly port: number;
  readonly adminPort: number;
  readonly output: string[];

  private constructor(child: ChildProcess, output: string[], port: number, adminPort: number) {
    this.child = child;
    this.output = output;
    this.port = port;
    this.adminPort = adminPort;
  }

  /** Starts it, and waits until it listens; with `ready`, until it is ready. */
  static async start(folder: string, settings: object, ready = true): Promise<VerifierProcess> {
    const program = mkdtempSync(join(tmpdir(), "verifier-bundle-"));
    const bundle = join(program, "verifier.mjs");
    const config = join(program, "config.json");
    writeFileSync(bundle, (await bundleVerifier()).code);
    writeFileSync(config, JSON.stringify({ listen: "127.0.0.1:0", adminListen: "127.0.0.1:0", ...settings }));
    const allowed = [program, folder].map((path) => `--allow-fs-read=${path}/`);
    const child = spawn(process.execPath, ["--permission", ...allowed, bundle, "--config", config], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {},
    });
    const output: string[] = [];
    child.stderr?.on("data", (chunk) => output.push(String(chunk)));
    child.once("close", () => rmSync(program, { recursive: true, force: true }));
    const listening = await new Promise<{ port: number; adminPort: number }>((resolve, reject) => {
      if (!child.stdout) return;
      createInterface(child.stdout).on("line", (line) => {
        output.push(line);
        if (line.includes('"msg":"listening"')) resolve(JSON.parse(line));
      });
      child.once("close", (code) => reject(new Error(`the verifier ended with status ${code}:\n${output.join("\n")}`)));
    });
    const started = new VerifierProcess(child, output, listening.port, listening.adminPort);
    if (ready) await started.ready();
    return started;
  }

  async ready(limitMs = 10_000): Promise<void> {
    await until(async () => (await this.readiness()).status === 200, "the verifier is ready", limitMs);
  }

  readiness(): Promise<Reply> {
    return ask(this.adminPort, undefined, {}, "GET", "/readyz");
  }

  ask(token?: string, headers?: Record<string, string>): Promise<Reply> {
    return ask(this.port, token, headers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const closed = once(this.child, "close");
    this.child.kill("SIGKILL");
    await closed;
  }
}
