/** Workloads and calls of the demonstration, the same for pods and for processes. */
import { type KubeClient, type KubeObject, pathFor } from "../../kubernetes/index.ts";

/** Namespace of the demonstration's workloads. The demonstration creates and deletes it. */
export const demoNamespace = "k8sauth-demo";
/** ServiceAccounts of callers: the verifier's rules allow `caller`, and not `unlisted`. */
export const accounts = { caller: "shop", unlisted: "unlisted" } as const;
/** Audiences: `own` of the service that asks the verifier, `other` of another service. */
export const audiences = { own: "orders", other: "payments" } as const;

/** A projected token in the stack's outputs: its path, its volume and its mount. */
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

/** Result of a call by the bundled client: the last line of its output. */
export interface CallResult {
  readonly status?: number;
  readonly body?: string;
  readonly error?: string;
}

/** The calls of the verifier: the caller's account, and the audience of its token. The names are also names of pods. */
export const calls = {
  allowed: { account: accounts.caller, audience: audiences.own },
  "other-audience": { account: accounts.caller, audience: audiences.other },
  unlisted: { account: accounts.unlisted, audience: audiences.own },
} as const;
export type Call = keyof typeof calls;

/** Workloads of the demonstration: pods with projected tokens on a node, else processes with requested tokens. */
export interface Workloads extends AsyncDisposable {
  /** The workload's token for the gateway. */
  gatewayToken(): Promise<string>;
  /** Calls the verifier with the bundled client, as a service does for its caller. */
  callVerifier(call: Call): Promise<CallResult>;
}

/** The part of the stack's outputs that the workloads use. */
export interface WorkloadOutputs {
  /** The reviewer's access. A verifier that does not run in a pod calls the API server with it. */
  readonly access: { readonly host: string; readonly caPem: string; readonly token: string; readonly audience: string };
  readonly gatewayToken: ProjectedToken;
  /** Absent if the verifier is not deployed. */
  readonly verifier?: { readonly url: string; readonly callers: Readonly<Record<string, ProjectedToken>> };
}

/** Flags of the bundled client for one call of the verifier. */
export function clientArgs(url: string, tokenFile: string): string[] {
  return ["--url", `${url}/orders/1`, "--token-file", tokenFile, "--show-body", "yes"];
}

/** Reads the result of a call from the client's output. */
export function callResult(output: string): CallResult {
  return JSON.parse(output.trim().split("\n").at(-1) || "{}") as CallResult;
}

/** A manifest without spec. */
export function object(apiVersion: string, kind: string, metadata: object) {
  return { apiVersion, kind, metadata };
}

/** Deletes the namespace with its content; returns its path. */
export async function deleteNamespace(deployer: KubeClient): Promise<string> {
  const path = pathFor("v1", "Namespace", undefined, demoNamespace);
  await deployer.delete(path, { ignoreNotFound: true });
  return path;
}
