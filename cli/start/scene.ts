/** Who is who in the demonstration, for what plays it in pods and what plays it in processes. */
import { type KubeClient, type KubeObject, pathFor } from "../../kubernetes/index.ts";

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

/** Flags of the bundled client for one call of the verifier. */
export function clientArgs(url: string, tokenFile: string): string[] {
  return ["--url", `${url}/orders/1`, "--token-file", tokenFile, "--show-body", "yes"];
}

/** What the client said of its call. */
export function lastLine(output: string): Answer {
  return JSON.parse(output.trim().split("\n").at(-1) || "{}") as Answer;
}

export function object(apiVersion: string, kind: string, metadata: object) {
  return { apiVersion, kind, metadata };
}

/** Deletes the namespace with all that is in it; answers its path. */
export async function deleteLodging(deployer: KubeClient): Promise<string> {
  const path = pathFor("v1", "Namespace", undefined, lodging);
  await deployer.delete(path, { ignoreNotFound: true });
  return path;
}
