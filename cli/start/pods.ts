import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { type KubeClient, type KubeObject, pathFor } from "../../kubernetes/index.ts";
import { nodeImage, type Sandbox } from "../../sandbox/index.ts";
import { bundleClient } from "../../verifier/bundle/bundle.ts";
import {
  type Answer,
  audiences,
  type Call,
  calls,
  clientArgs,
  deleteLodging,
  type FromOutputs,
  lastLine,
  lodging,
  object,
  type ProjectedToken,
  type Workloads,
} from "./scene.ts";

/** On a node: pods with projected tokens, which call the deployed verifier by its name. */
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

  static async make(
    { gatewayToken, verifier }: Required<FromOutputs>,
    deployer: KubeClient,
    sandbox: Sandbox,
    signal: AbortSignal,
  ): Promise<Pods> {
    const { code } = await bundleClient();
    const program = { ...object("v1", "ConfigMap", { name: "client" }), data: { "client.mjs": code } };
    await deployer.create(pathFor("v1", "ConfigMap", lodging), program);
    const own = verifier.callers[audiences.own];
    if (!own) throw new Error(`The output verifier has no callers of the audience ${audiences.own}.`);
    const pod = (name: Call, token: ProjectedToken, beside: readonly object[] = []) => ({
      ...object("v1", "Pod", { name }),
      spec: podSpec(calls[name].account, token, gatewayToken, [client(verifier.url, token), ...beside]),
    });
    const idle = 'process.once("SIGTERM", () => process.exit()); setInterval(() => {}, 60_000);';
    const mounted = { volumeMounts: [gatewayToken.volumeMount] };
    for (const made of [
      pod("allowed", own, [container("app", ["-e", idle], mounted)]),
      pod("foreign", forAudience(own, audiences.other)),
      pod("stranger", own),
    ]) {
      await deployer.create(pathFor("v1", "Pod", lodging), made);
    }
    return new Pods(deployer, sandbox, signal, gatewayToken.tokenPath);
  }

  async gatewayToken(): Promise<string> {
    await this.#until("allowed", "its container runs", ({ app }) => app?.running !== undefined);
    const script = `require("node:fs").readFileSync(${JSON.stringify(this.#tokenPath)}, "utf8")`;
    return (await this.#kubectl("exec", "allowed", "-c", "app", "--", "/usr/local/bin/node", "-p", script)).trim();
  }

  async callVerifier(call: Call): Promise<Answer> {
    await this.#until(call, "its call has ended", (states) => states.client?.terminated !== undefined);
    return lastLine(await this.#kubectl("logs", call, "-c", "client"));
  }

  async #until(pod: Call, what: string, holds: (states: ContainerStates) => boolean): Promise<void> {
    const deadline = performance.now() + 120_000;
    for (;;) {
      const { status } = await this.#deployer.get<PodStatus>(pathFor("v1", "Pod", lodging, pod));
      const states = status?.containerStatuses?.map(({ name, state }) => [name, state]) ?? [];
      if (holds(Object.fromEntries(states))) return;
      if (performance.now() > deadline) {
        throw new Error(`The pod ${lodging}/${pod} has taken more than 120 s until ${what}: ${JSON.stringify(states)}`);
      }
      await sleep(100, undefined, { signal: this.#signal });
    }
  }

  #kubectl(...args: string[]): Promise<string> {
    const [verb = "", ...rest] = args;
    const env = { ...process.env, KUBECONFIG: this.#sandbox.kubeconfig };
    return new Promise((resolve, reject) => {
      execFile(this.#sandbox.binary, ["kubectl", verb, "-n", lodging, ...rest], { env }, (error, stdout, stderr) => {
        if (error) reject(new Error(`kubectl ${verb} in ${lodging} failed: ${stderr.trim()}`));
        else resolve(stdout);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await deleteLodging(this.#deployer);
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

/** The bundled client, once. */
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
