import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeEach } from "vitest";
import { AkeylessTestGateway, type Call, type Fault, makeGatewayIdentity } from "../../demo/akeyless/index.ts";
import { AkeylessApi, type ApiOptions } from "../../provider/akeyless/api/api.ts";
import { Deployer } from "../../provider/cluster/deployer.ts";
import type { Context } from "../../provider/protocol/resource.ts";
import { makeCertificate } from "../../sandbox/cluster/certificate.ts";

let gatewayIdentity: ReturnType<typeof makeGatewayIdentity> | undefined;

/** Starts a gateway. All gateways that are started here share one certificate, because a new key takes time. */
export function startGateway(): Promise<AkeylessTestGateway> {
  gatewayIdentity ??= makeGatewayIdentity();
  return AkeylessTestGateway.start(gatewayIdentity);
}

/** A gateway for the tests of a file. Each test starts with an empty account and no faults. */
export async function useGateway(): Promise<AkeylessTestGateway> {
  const gateway = await startGateway();
  beforeEach(() => {
    gateway.fault = () => undefined;
    gateway.permits = () => true;
    gateway.calls.length = 0;
    gateway.configs.clear();
    gateway.account.clear();
  });
  afterAll(() => gateway[Symbol.asyncDispose]());
  return gateway;
}

/** Makes the first `times` calls of a command fail. */
export function failing(gateway: AkeylessTestGateway, command: string, fault: Fault, times = Number.POSITIVE_INFINITY) {
  let left = times;
  gateway.fault = (call: Call) => (call.command === command && left-- > 0 ? fault : undefined);
}

/** A context of an operation, and the lines that it logs. */
export function contextFor(env: NodeJS.ProcessEnv, signal: AbortSignal = new AbortController().signal) {
  const lines: string[] = [];
  const log = (message: string) => void lines.push(message);
  const context: Context = {
    log: { debug: log, info: log, warn: log, status: log },
    signal,
    engineGone: () => false,
    env,
    deployer: new Deployer(),
    now: Date.now,
  };
  return { context, lines };
}

/** A client of a test gateway, with short pauses and time limits. */
export function apiOf(gateway: AkeylessTestGateway, env: NodeJS.ProcessEnv = gateway.env, options: ApiOptions = {}) {
  const { context } = contextFor(env);
  const endpoint = { url: gateway.gatewayApi, caPem: gateway.caPem };
  return new AkeylessApi(endpoint, context, { retryMs: 1, timeoutMs: 5_000, ...options });
}

/** A key pair as an auth method has it: public key, PEM, and private key, base64 of PEM. */
export function keyPair() {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs1", format: "pem" }) as string;
  return {
    publicKey: publicKey.export({ type: "spki", format: "pem" }) as string,
    signingKey: Buffer.from(pem).toString("base64"),
  };
}

const ca = makeCertificate({ commonName: "cluster-ca" });
const client = makeCertificate({ commonName: "reviewer", issuer: ca });
const encoded = (pem: string) => Buffer.from(pem.replaceAll("\r\n", "\n")).toString("base64");

/** An auth config with a reviewer's token, as the formatter returns it. */
export function tokenConfig(signingKey: string, changes: Record<string, string | number | boolean> = {}) {
  return {
    name: "k8s-conf",
    "access-id": "p-0123456789ab",
    "signing-key": signingKey,
    "cluster-api-type": "native_k8s",
    "k8s-auth-type": "token",
    "k8s-host": "https://k8s.example.com:6443",
    "k8s-ca-cert": encoded(ca.certPem),
    "token-reviewer-jwt": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXZpZXdlciJ9.c2lnbmF0dXJl",
    "k8s-issuer": "https://kubernetes.default.svc",
    "disable-issuer-validation": "true",
    ...changes,
  };
}

export function certificateConfig(signingKey: string) {
  const { "token-reviewer-jwt": _token, ...config } = tokenConfig(signingKey);
  return {
    ...config,
    "k8s-auth-type": "certificate",
    "k8s-client-certificate": encoded(client.certPem),
    "k8s-client-key": encoded(client.keyPem),
  };
}

export function rancherConfig(signingKey: string) {
  const { "token-reviewer-jwt": _token, "k8s-auth-type": _type, ...config } = tokenConfig(signingKey);
  return {
    ...config,
    "cluster-api-type": "rancher",
    "rancher-api-key": "token-abcde:s3cret-s3cret-s3cret",
    "rancher-cluster-id": "c-abcde",
  };
}

export function accountConfig(signingKey: string) {
  const { "token-reviewer-jwt": _token, "k8s-ca-cert": _ca, ...config } = tokenConfig(signingKey);
  return { ...config, "use-gw-service-account": true };
}

/** The code and message of the error with which the work fails. */
export async function failureOf(work: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> {
  return work.then(
    () => ({ code: "", message: "it succeeded" }),
    (error: { code: string; message: string }) => ({ code: error.code, message: error.message }),
  );
}

/** Inputs of a resource in a preview or a diff, all known except for the given names. */
export function inputsOf<I>(known: I, ...unknown: readonly string[]) {
  return { known, unknown: new Set(unknown) };
}
