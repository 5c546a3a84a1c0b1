import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { type KubeClient, type KubeObject, pathFor } from "../../kubernetes/index.ts";
import { nodeImage, type Sandbox } from "../../sandbox/index.ts";
import { bundleClient } from "../../verifier/bundle/bundle.ts";
import {
  audiences,
  type Call,
  type CallResult,
  callResult,
  calls,
  clientArgs,
  deleteNamespace,
  demoNamespace,
  object,
  type ProjectedToken,
  type WorkloadOutputs,
  type Workloads,
} from "./scenario.ts";

/** Pods with projected tokens, which call the deployed verifier by the name of its Service. */
export class Pods implements Workloads {
  readonly #deployer: KubeClient;
  readonly #sandbox: Sandbox;
  readonly #signal: AbortSignal;
  readonly #tokenPath: string;

  private constructor(deployer: KubeClient, sandbox: Sandbox, signal: AbortSignal, tokenPath: string) {
    this.#deployer = deployer;
    this.#sandbox = sandbox;
    this.#signal = signal;
    this.#tokenPath = tokenPath;
  }

  static async create(
    { gatewayToken, verifier }: Required<WorkloadOutputs>,
    deployer: KubeClient,
    sandbox: Sandbox,
    signal: AbortSignal,
  ): Promise<Pods> {
    const { code } = await bundleClient();
    const program = { ...object("v1", "ConfigMap", { name: "client" }), data: { "client.mjs": code } };
    await deployer.create(pathFor("v1", "ConfigMap", demoNamespace), program);
    const own = verifier.callers[audiences.own];
    if (!own) throw new Error(`The output verifier has no callers of the audience ${audiences.own}.`);
    const pod = (name: Call, token: ProjectedToken, beside: readonly object[] = []) => ({
      ...object("v1", "Pod", { name }),
      spec: podSpec(calls[name].account, token, gatewayToken, [client(verifier.url, token), ...beside]),
    });
    const idle = 'process.once("SIGTERM", () => process.exit()); setInterval(() => {}, 60_000);';
    const mounted = { volumeMounts: [gatewayToken.volumeMount] };
    for (const manifest of [
      pod("allowed", own, [container("app", ["-e", idle], mounted)]),
      pod("other-audience", forAudience(own, audiences.other)),
      pod("unlisted", own),
    ]) {
      await deployer.create(pathFor("v1", "Pod", demoNamespace), manifest);
    }
    return new Pods(deployer, sandbox, signal, gatewayToken.tokenPath);
  }

  async gatewayToken(): Promise<string> {
    await this.#until("allowed", "its container runs", ({ app }) => app?.running !== undefined);
    const script = `require("node:fs").readFileSync(${JSON.stringify(this.#tokenPath)}, "utf8")`;
    return (await this.#kubectl("exec", "allowed", "-c", "app", "--", "/usr/local/bin/node", "-p", script)).trim();
  }

  async callVerifier(call: Call): Promise<CallResult> {
    await this.#until(call, "its call has ended", (states) => states.client?.terminated !== undefined);
    return callResult(await this.#kubectl("logs", call, "-c", "client"));
  }

  async #until(pod: Call, what: string, holds: (states: ContainerStates) => boolean): Promise<void> {
    const deadline = performance.now() + 120_000;
    for (;;) {
      const { status } = await this.#deployer.get<PodStatus>(pathFor("v1", "Pod", demoNamespace, pod));
      const states = status?.containerStatuses?.map(({ name, state }) => [name, state]) ?? [];
      if (holds(Object.fromEntries(states))) return;
      if (performance.now() > deadline) {
        throw new Error(
          `Pod ${demoNamespace}/${pod}: waited 120 s until ${what}. Its containers: ${JSON.stringify(states)}`,
        );
      }
      await sleep(100, undefined, { signal: this.#signal });
    }
  }

  #kubectl(...args: string[]): Promise<string> {
    const [verb = "", ...rest] = args;
    const env = { ...process.env, KUBECONFIG: this.#sandbox.kubeconfig };
    return new Promise((resolve, reject) => {
      execFile(
        this.#sandbox.binary,
        ["kubectl", verb, "-n", demoNamespace, ...rest],
        { env },
        (error, stdout, stderr) => {
          if (error) reject(new Error(`kubectl ${verb} in ${demoNamespace} failed: ${stderr.trim()}`));
          else resolve(stdout);
        },
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await deleteNamespace(this.#deployer);
  }
}

type ContainerStates = Readonly<
  Record<string, { readonly running?: object; readonly terminated?: object } | undefined>
>;
interface PodStatus extends KubeObject {
  readonly status?: {
    readonly containerStatuses?: readonly { readonly name: string; readonly state: ContainerStates[string] }[];
  };
}

/** A container that runs the bundled client once. */
function client(url: string, token: ProjectedToken) {
  return container("client", ["/app/client.mjs", ...clientArgs(url, token.tokenPath)], {
    volumeMounts: [{ name: "app", mountPath: "/app", readOnly: true }, token.volumeMount],
  });
}

function container(name: string, args: readonly string[], more: object) {
  return {
    name,
    image: nodeImage,
    imagePullPolicy: "Never",
    args,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    ...more,
  };
}

function podSpec(account: string, token: ProjectedToken, gateway: ProjectedToken, containers: readonly object[]) {
  return {
    serviceAccountName: account,
    automountServiceAccountToken: false,
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 1,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    containers,
    volumes: [{ name: "app", configMap: { name: "client" } }, token.volume, gateway.volume],
  };
}

function forAudience(token: ProjectedToken, audience: string): ProjectedToken {
  const sources = token.volume.projected.sources.map(({ serviceAccountToken }) => ({
    serviceAccountToken: { ...serviceAccountToken, audience },
  }));
  return { ...token, volume: { ...token.volume, projected: { sources } } };
}
