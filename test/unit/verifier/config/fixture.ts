/** Calls of the reader of settings, as in a pod. */
import { loadConfig } from "../../../../verifier/config/load.ts";
import { VerifierError, type VerifierErrorCode } from "../../../../verifier/errors.ts";

export const inCluster = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "6443" };
export const mount = "/var/run/secrets/kubernetes.io/serviceaccount";

export function load(args: readonly string[] = [], env: NodeJS.ProcessEnv = inCluster, file?: unknown) {
  const text = typeof file === "string" ? file : JSON.stringify(file);
  return loadConfig({ args: file === undefined ? args : ["--config", "/c.json", ...args], env, readFile: () => text });
}

/** Two entries of `issuers` that are in order, but for what is changed in the second. */
export function two(more: object = {}): readonly object[] {
  return [
    { name: "home", allow: ["shop/*"] },
    { name: "other", mode: "oidc-discovery", issuer: "https://other.example", allow: ["shop/frontend"], ...more },
  ];
}

export const loadWith = (issuers: readonly object[]) => load([], inCluster, { audience: "a", issuers }).issuers;

export function codeOf(work: () => unknown): VerifierErrorCode | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof VerifierError) return error.code;
    throw error;
  }
  return undefined;
}
