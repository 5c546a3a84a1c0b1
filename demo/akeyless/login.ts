import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { request } from "node:https";
import type { Account } from "./account.ts";
import { pemOf, type StoredConfig } from "./authConfigs.ts";
import { Refusal } from "./failures.ts";
import { matches } from "./subClaims.ts";

/** The ServiceAccount of a gateway that runs in a cluster. */
export interface GatewayAccount {
  readonly host: string;
  readonly caPem: string;
  readonly token: string;
}

/** An identity that logged in, with its roles. */
export interface Login {
  readonly accessId: string;
  readonly claims: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly roles: readonly string[];
}

interface Review {
  readonly authenticated?: boolean;
  readonly error?: string;
  readonly user?: {
    readonly username?: string;
    readonly uid?: string;
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
}

/** Logs a workload in by the steps that the documents describe: review, internal token, bounds, roles. @throws Refusal */
export async function logIn(
  account: Account,
  config: StoredConfig,
  accessId: string,
  jwt: string,
  own: GatewayAccount | undefined,
  version: string,
): Promise<Login> {
  if (accessId !== config.auth_method_access_id) throw new Refusal(401, "access id does not match the auth config");
  const payload = claimsOf(jwt);
  if (!config.disable_iss_validation && payload.iss !== config.k8s_issuer) throw new Refusal(401, "iss is invalid");
  const review = await reviewWith(config, jwt, own);
  if (review.authenticated !== true)
    throw new Refusal(401, `token review failed: ${review.error || "not authenticated"}`);
  const claims = claimsFrom(review, payload, config);
  const method = account.methods.byAccessId(accessId);
  if (!method) throw new Refusal(401, "auth method does not exist");
  requireSignature(config, method.publicKeyPem, claims);
  requireBound("namespace", method.boundNamespaces, claims.namespace);
  requireBound("service account", method.boundServiceAccountNames, claims.service_account_name);
  requireBound("pod", method.boundPodNames, claims.pod_name);
  if (method.audience && !claims.aud.includes(method.audience)) throw new Refusal(401, "audience is not allowed");
  const associations = [...account.associations.values()].filter((one) => one.accessId === accessId);
  const operators = hasOperators(version);
  const matching = associations.filter(({ claims: asked, caseSensitive }) =>
    Object.entries(asked).every(([claim, values]) =>
      matches([claims[claim] ?? []].flat(), values, { caseSensitive, operators }),
    ),
  );
  const roles = matching.filter((one) => !method.forceSubClaims || Object.keys(one.claims).length > 0);
  return { accessId, claims, roles: roles.map(({ role }) => role) };
}

function requireBound(what: string, allowed: readonly string[], value: string | undefined): void {
  if (allowed.length > 0 && !allowed.includes(value ?? "")) throw new Refusal(401, `${what} is not allowed`);
}

/** Operators between values of a sub-claim came with gateway 4.19. */
function hasOperators(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 4 || (major === 4 && minor >= 19);
}

/** Signs an internal token, as the gateway does, and verifies it, as the service does. @throws Refusal */
function requireSignature(config: StoredConfig, publicKeyPem: string, claims: object): void {
  const key = createPrivateKey(pemOf("signing-key", config.auth_method_prv_key_pem));
  const internal = Buffer.from(JSON.stringify(claims));
  const signature = sign("sha256", internal, key);
  if (!verify("sha256", internal, createPublicKey(publicKeyPem), signature)) {
    throw new Refusal(401, "internal token: signature is invalid");
  }
}

function claimsOf(jwt: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8")) as Record<string, unknown>;
  } catch {
    throw new Refusal(401, "token is malformed");
  }
}

/** The claims that describe-sub-claims shows of a login. */
function claimsFrom(review: Review, payload: Record<string, unknown>, config: StoredConfig) {
  const [, , namespace = "", account = ""] = (review.user?.username ?? "").split(":");
  const extra = (name: string) => review.user?.extra?.[`authentication.kubernetes.io/${name}`]?.[0];
  const podName = extra("pod-name");
  const podUid = extra("pod-uid");
  const secretName = payload["kubernetes.io/serviceaccount/secret.name"];
  return {
    service_account_name: account,
    service_account_uid: review.user?.uid ?? "",
    namespace,
    aud: [payload.aud ?? []].flat() as string[],
    config_name: config.name,
    config_id: config.id,
    client_ip: "127.0.0.1",
    client_unique_id: config.auth_method_access_id,
    k8s_id: account,
    use_pod_id_in_unique_id: "false",
    service_account_secret_name: typeof secretName === "string" ? secretName : "",
    ...(podName && { pod_name: podName }),
    ...(podUid && { pod_uid: podUid }),
  } as {
    service_account_name: string;
    namespace: string;
    aud: string[];
    pod_name?: string;
    [claim: string]: string | string[] | undefined;
  };
}

/** Reviews the token at the cluster, with host, CA and credential of the auth config only. @throws Refusal */
async function reviewWith(config: StoredConfig, jwt: string, own: GatewayAccount | undefined): Promise<Review> {
  if (config.use_local_ca_jwt) {
    if (!own) throw new Refusal(401, "this gateway does not run in a cluster");
    return post(`${own.host}${reviews}`, jwt, { ca: own.caPem, token: own.token });
  }
  const ca = config.k8s_ca_cert && pemOf("k8s-ca-cert", config.k8s_ca_cert);
  if (config.cluster_api_type === "rancher") {
    const url = `${config.k8s_host}/k8s/clusters/${config.rancher_cluster_id}${reviews}`;
    return post(url, jwt, { ca, token: config.rancher_api_key });
  }
  if (config.k8s_auth_type === "client_cert") {
    const cert = pemOf("k8s-client-certificate", config.k8s_client_cert_data);
    const key = pemOf("k8s-client-key", config.k8s_client_key_data);
    return post(`${config.k8s_host}${reviews}`, jwt, { ca, cert, key });
  }
  // Without a reviewer's token, the workload's own token authenticates the review.
  return post(`${config.k8s_host}${reviews}`, jwt, { ca, token: config.k8s_token_reviewer_jwt || jwt });
}

const reviews = "/apis/authentication.k8s.io/v1/tokenreviews";

interface Credential {
  readonly ca: string;
  readonly token?: string;
  readonly cert?: string;
  readonly key?: string;
}

function post(url: string, jwt: string, { ca, token, cert, key }: Credential): Promise<Review> {
  const body = JSON.stringify({
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenReview",
    spec: { token: jwt },
  });
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Refusal(401, `token review failed: ${why}`));
    const outgoing = request(url, {
      method: "POST",
      agent: false,
      ca: ca || undefined,
      cert,
      key,
      headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    outgoing.on("response", (incoming) => {
      let text = "";
      incoming.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      incoming.on("end", () => {
        if (incoming.statusCode !== 201) fail(`the API server answered ${incoming.statusCode}`);
        else resolve((JSON.parse(text) as { status?: Review }).status ?? {});
      });
    });
    outgoing.end(body);
  });
}
