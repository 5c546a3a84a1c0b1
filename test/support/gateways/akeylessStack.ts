import { randomBytes } from "node:crypto";
import { vi } from "vitest";
import { AkeylessTestGateway } from "../../../demo/akeyless/index.ts";
import { type KubeClient, type KubeObject, pathFor } from "../../../kubernetes/index.ts";
import type { Value } from "../pulumi/stack.ts";
import { TestStack } from "../pulumi/stack.ts";

/** Outputs of a stack that pushes to Akeyless. */
export interface PushedOutputs {
  readonly authConfigs: Readonly<Record<"token" | "certificate", { readonly akeyless: Record<string, string> }>>;
  readonly workloadLogin: {
    readonly akeyless: {
      readonly accessId: string;
      readonly gatewayUrl: string;
      readonly k8sAuthConfigName: string;
      readonly volume: { projected: { sources: [{ serviceAccountToken: { audience?: string } }] } };
    };
  };
  readonly clusterAccess: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
}

/** A stack, and the gateway that it pushes to. */
export class PushingStack implements AsyncDisposable {
  readonly gateway: AkeylessTestGateway;
  readonly stack: TestStack;

  private constructor(gateway: AkeylessTestGateway, stack: TestStack) {
    this.gateway = gateway;
    this.stack = stack;
  }

  static async make(name: string, kubeconfig: string, config: Record<string, Value>): Promise<PushingStack> {
    const gateway = await AkeylessTestGateway.start();
    const settings = {
      kubeconfig,
      allowLoopbackHost: true,
      akeylessPush: true,
      akeylessGatewayUrl: gateway.url,
      akeylessApi: gateway.publicApi,
      akeylessCa: gateway.caPem,
      ...config,
    };
    return new PushingStack(gateway, await TestStack.make(name, settings, gateway.env));
  }

  async outputs(): Promise<PushedOutputs> {
    return (await this.stack.outputs()) as unknown as PushedOutputs;
  }

  /** Logs a workload in with only the outputs and its own token. Returns its identity. */
  async logIn(jwt: string) {
    const { akeyless } = (await this.outputs()).workloadLogin;
    return this.gateway.logIn(akeyless.accessId, akeyless.k8sAuthConfigName, jwt);
  }

  /** A workload that logs in repeatedly, by the config in `workloadLogin` or by another one, until `stop`. */
  loggingIn(jwt: string, configName?: string) {
    let isRunning = true;
    let logins = 0;
    const failures: string[] = [];
    const running = (async () => {
      const { akeyless } = (await this.outputs()).workloadLogin;
      while (isRunning) {
        await this.gateway.logIn(akeyless.accessId, configName ?? akeyless.k8sAuthConfigName, jwt).then(
          () => {
            logins += 1;
          },
          (error: Error) => failures.push(error.message),
        );
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    return {
      async stop() {
        isRunning = false;
        await running;
        return { logins, failures };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gateway.fault = () => undefined;
    await this.stack[Symbol.asyncDispose]();
    await this.gateway[Symbol.asyncDispose]();
  }
}

/** A namespace with ServiceAccounts whose pods' tokens log in. */
export class Workloads implements AsyncDisposable {
  readonly namespace = `k8sauth-test-lodging-${randomBytes(4).toString("hex")}`;
  readonly #admin: KubeClient;

  private constructor(admin: KubeClient) {
    this.#admin = admin;
  }

  static async make(admin: KubeClient): Promise<Workloads> {
    const workloads = new Workloads(admin);
    const metadata = { name: workloads.namespace };
    await admin.create(pathFor("v1", "Namespace"), { apiVersion: "v1", kind: "Namespace", metadata });
    return workloads;
  }

  /** A token like that of a pod, for an account that is created if it is missing. It is bound to a pod if one is named. */
  async token(account: string, { audience, pod }: { audience?: string; pod?: string } = {}): Promise<string> {
    const path = pathFor("v1", "ServiceAccount", this.namespace, account);
    if (!(await this.#admin.find(path))) {
      const body = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: account } };
      await this.#admin.create(pathFor("v1", "ServiceAccount", this.namespace), body);
    }
    const boundObjectRef = pod && { kind: "Pod", apiVersion: "v1", name: pod, uid: await this.#pod(pod, account) };
    const spec = {
      expirationSeconds: 600,
      ...(audience && { audiences: [audience] }),
      ...(boundObjectRef && { boundObjectRef }),
    };
    const answer = await this.#admin.create<{ status: { token: string } }>(`${path}/token`, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec,
    });
    return answer.status.token;
  }

  /** The token of a new Secret of an existing account, as workloads outside the cluster have it. */
  async secretToken(account: string): Promise<string> {
    const metadata = { name: `${account}-token`, annotations: { "kubernetes.io/service-account.name": account } };
    const secret = { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/service-account-token", metadata };
    await this.#admin.create(pathFor("v1", "Secret", this.namespace), secret as KubeObject);
    const path = pathFor("v1", "Secret", this.namespace, metadata.name);
    const read = async () => {
      const { data } = await this.#admin.get<{ data?: { token?: string } }>(path);
      return data?.token;
    };
    const token = (await vi.waitUntil(read, { timeout: 30_000, interval: 50 })) ?? "";
    return Buffer.from(token, "base64").toString();
  }

  async remove(account: string): Promise<void> {
    await this.#admin.delete(pathFor("v1", "ServiceAccount", this.namespace, account));
  }

  async #pod(name: string, serviceAccountName: string): Promise<string> {
    const path = pathFor("v1", "Pod", this.namespace, name);
    const found = await this.#admin.find(path);
    const pod =
      found ??
      (await this.#admin.create(pathFor("v1", "Pod", this.namespace), {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name },
        spec: { serviceAccountName, containers: [{ name: "app", image: "none" }] },
      }));
    return pod?.metadata?.uid ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.delete(pathFor("v1", "Namespace", undefined, this.namespace), { ignoreNotFound: true });
  }
}
