/** Namespaces, ServiceAccounts and tokens for the verifier on a real API server. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifierRules } from "../../../components/verifier/manifests.ts";
import { KubeClient, loadConnection, pathFor } from "../../../kubernetes/index.ts";

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

  /** Lets a ServiceAccount do what the rules say, and nothing else. @param rules by default: create TokenReviews */
  async grant(account: string, rules: readonly object[] = verifierRules("tokenreview")): Promise<void> {
    const name = `${this.namespace}-${account}`;
    await this.admin.create(pathFor(rbac, "ClusterRole"), { ...object(rbac, "ClusterRole", name), rules });
    await this.admin.create(pathFor(rbac, "ClusterRoleBinding"), {
      ...object(rbac, "ClusterRoleBinding", name),
      roleRef: { apiGroup: rbacGroup, kind: "ClusterRole", name },
      subjects: [{ kind: "ServiceAccount", name: account, namespace: this.namespace }],
    });
  }

  /** A pod that no node runs. Tokens can be bound to it all the same. */
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
