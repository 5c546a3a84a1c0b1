import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type KubeClient, type KubeObject, pathFor } from "../../kube/index.ts";
import { nodeImage, type Sandbox } from "../../sandbox/index.ts";
import { bundleClient } from "../../verifier/bundle.ts";
import { mint } from "../checks/review.ts";
import { VerifierProcess } from "./verifierProcess.ts";

/** Where the demonstration's workloads live; made for it, and gone with it. */
export const lodging = "k8sauth-demo";
/** The workload that is let in, and one that is not. */
export const accounts = { caller: "shop", stranger: "stranger" } as const;
/** Audience of the service that asks the verifier, and one of somebody else's. */
export const audiences = { own: "orders", other: "payments" } as const;

/** A projected token, as the stack's outputs tell a workload to mount it. */
export interface ProjectedToken {
  readonly tokenPath: string;
  readonly volume: KubeObject & { readonly name: string; readonly projected: { readonly sources: readonly Source[] } };
  readonly volumeMount: KubeObject & { readonly name: string; readonly mountPath: string };
}
interface Source {
  readonly serviceAccountToken: {
    readonly audience?: string;
    readonly expirationSeconds: number;
    readonly path: string;
  };
}

/** What a call of the bundled client came to: a line of its output. */
export interface Answer {
  readonly status?: number;
  readonly body?: string;
  readonly error?: string;
}

/** The calls that the demonstration makes of the service: by whom, with a token for which audience. */
export const calls = {
  allowed: { account: accounts.caller, audience: audiences.own },
  foreign: { account: accounts.caller, audience: audiences.other },
  stranger: { account: accounts.stranger, audience: audiences.own },
} as const;
export type Call = keyof typeof calls;

/** Workloads of the demonstration: pods with projected tokens where there is a node, processes with minted tokens where not. */
export interface Workloads extends AsyncDisposable {
  /** The workload's own token for the gateway, as its pod has it. */
  gatewayToken(): Promise<string>;
  /** Calls the verifier with the bundled client, as a service would on its caller's behalf. */
  callVerifier(call: Call): Promise<Answer>;
}

/** What the workloads take from the stack's outputs. */
export interface FromOutputs {
  /** The reviewer's access: what a verifier outside a pod has for asking the API server. */
  readonly access: { readonly host: string; readonly caPem: string; readonly token: string; readonly audience: string };
  readonly gatewayToken: ProjectedToken;
  /** Absent where the verifier was not deployed. */
  readonly verifier?: { readonly url: string; readonly callers: Readonly<Record<string, ProjectedToken>> };
}

/** Makes namespace and accounts, and on a node the pods. */
export async function makeWorkloads(
  outputs: FromOutputs,
  deployer: KubeClient,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<Workloads> {
  await removeLodging(deployer, signal);
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  await deployer.create(pathFor("v1", "Namespace"), object("v1", "Namespace", { name: lodging, labels }));
  for (const name of Object.values(accounts)) {
    await deployer.create(pathFor("v1", "ServiceAccount", lodging), object("v1", "ServiceAccount", { name }));
  }
  const { verifier } = outputs;
  if (sandbox.node && verifier) return Pods.make({ ...outputs, verifier }, deployer, sandbox, signal);
  return Processes.make(outputs, deployer);
}

class Pods implements Workloads {
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

/** Without a node: tokens by TokenRequest, and the same bundles as processes of this machine. */
class Processes implements Workloads {
  readonly #deployer: KubeClient;
  readonly #verifier: VerifierProcess;
  readonly #folder: string;
  readonly #audience: string;

  private constructor(deployer: KubeClient, verifier: VerifierProcess, folder: string, audience: string) {
    this.#deployer = deployer;
    this.#verifier = verifier;
    this.#folder = folder;
    this.#audience = audience;
  }

  static async make({ access }: FromOutputs, deployer: KubeClient): Promise<Processes> {
    const folder = await mkdtemp(join(tmpdir(), "k8sauth-start-"));
    await writeFile(join(folder, "client.mjs"), (await bundleClient()).code);
    const verifier = await VerifierProcess.start(folder, access, {
      audience: [audiences.own],
      allow: [`${lodging}/${accounts.caller}`],
    });
    return new Processes(deployer, verifier, folder, access.audience);
  }

  gatewayToken(): Promise<string> {
    return mint(this.#deployer, lodging, accounts.caller, this.#audience);
  }

  async callVerifier(call: Call): Promise<Answer> {
    const { account, audience } = calls[call];
    const tokenFile = join(this.#folder, `token-${call}`);
    await writeFile(tokenFile, await mint(this.#deployer, lodging, account, audience), { mode: 0o600 });
    const args = [join(this.#folder, "client.mjs"), ...clientArgs(this.#verifier.url, tokenFile)];
    return new Promise((resolve) => {
      // Its exit status says the same as its line.
      execFile(process.execPath, args, (_ended, stdout) => resolve(lastLine(stdout)));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#verifier[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
    await deleteLodging(this.#deployer);
  }
}

function object(apiVersion: string, kind: string, metadata: object) {
  return { apiVersion, kind, metadata };
}

function clientArgs(url: string, tokenFile: string): string[] {
  return ["--url", `${url}/orders/1`, "--token-file", tokenFile, "--show-body", "yes"];
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

function lastLine(output: string): Answer {
  return JSON.parse(output.trim().split("\n").at(-1) || "{}") as Answer;
}

/** Deletes the namespace and waits until it is gone: an earlier demonstration may have left it, or be about to. */
async function removeLodging(deployer: KubeClient, signal: AbortSignal): Promise<void> {
  const path = await deleteLodging(deployer);
  const deadline = performance.now() + 60_000;
  while (await deployer.find(path)) {
    if (performance.now() > deadline) throw new Error(`The namespace ${lodging} was not gone 60 s after its deletion.`);
    await sleep(100, undefined, { signal });
  }
}

async function deleteLodging(deployer: KubeClient): Promise<string> {
  const path = pathFor("v1", "Namespace", undefined, lodging);
  await deployer.delete(path, { ignoreNotFound: true });
  return path;
}
