import { readFileSync } from "node:fs";
import type { CredentialSource, Credentials, ExecCluster } from "../connection.ts";
import { KubeError, scrub } from "../errors.ts";
import { requireSendable } from "../headers.ts";
import { type ExecOptions, execCredentials } from "./execPlugin.ts";
import { pairProblem } from "./keyPair.ts";
import { type Entry, isObject, type JsonObject, nonEmpty, pathOf } from "./kubeconfig.ts";
import { SharedRun } from "./sharedRun.ts";

export function fixedCredentials(credentials: Credentials): CredentialSource {
  return { refreshable: false, get: async () => credentials };
}

/** The token in a file whose owner rotates it. The file is read again after 10 s, and after a rejection. */
export function tokenFileCredentials(path: string, base: Credentials = {}, now = Date.now): CredentialSource {
  let token = "";
  let readAt = Number.NEGATIVE_INFINITY;
  return {
    refreshable: true,
    async get(refresh) {
      if (refresh || now() - readAt > 10_000) {
        token = readCredential(path, "token file").trim();
        requireSendable(token, `The token file ${path}`);
        readAt = now();
      }
      return { ...base, authorization: `Bearer ${token}` };
    },
  };
}

/**
 * The credentials of a kubeconfig's user, in kubectl's order of precedence.
 *
 * @throws KubeError KUBECONFIG_CREDENTIAL_MISSING for a file that does not exist, KUBECONFIG_CREDENTIAL_INVALID
 */
export function userCredentials(
  user: Entry,
  cluster: ExecCluster,
  env: NodeJS.ProcessEnv,
  execOptions?: ExecOptions,
): CredentialSource {
  const { value } = user;
  const certPem = dataOrFile(user, "client-certificate");
  const keyPem = dataOrFile(user, "client-key");
  if ((certPem === undefined) !== (keyPem === undefined)) {
    throw new KubeError(
      "KUBECONFIG_CREDENTIAL_INVALID",
      `User "${user.name}" of the kubeconfig has a client ${certPem === undefined ? "key without a certificate" : "certificate without a key"}.`,
      { remedy: "Set both client-certificate and client-key, or neither." },
    );
  }
  if (certPem !== undefined && keyPem !== undefined) requirePair(user, certPem, keyPem);
  const certificate: Credentials = certPem === undefined ? {} : { certPem, keyPem };
  const tokenFile = nonEmpty(value.tokenFile);
  const token = nonEmpty(value.token);
  if (tokenFile !== undefined) return tokenFileCredentials(pathOf(user, tokenFile), certificate);
  if (token !== undefined) {
    requireSendable(token, `The token of user "${user.name}"`);
    return fixedCredentials({ ...certificate, authorization: `Bearer ${token}` });
  }
  const username = nonEmpty(value.username);
  if (username !== undefined) {
    const pair = Buffer.from(`${username}:${nonEmpty(value.password) ?? ""}`).toString("base64");
    return fixedCredentials({ ...certificate, authorization: `Basic ${pair}` });
  }
  if (isObject(value.exec)) return execCredentials(user, value.exec, cluster, env, execOptions);
  const provider = value["auth-provider"];
  if (isObject(provider)) return sharedProvider(() => providerCredentials(user, provider, cluster));
  return fixedCredentials(certificate);
}

/** Credentials of an auth-provider. If several requests are rejected together, it is called again at most once per second. */
function sharedProvider(load: () => Promise<Credentials>): CredentialSource {
  const runs = new SharedRun<Credentials>("The login of the auth-provider");
  let refreshedAt = Number.NEGATIVE_INFINITY;
  return {
    refreshable: true,
    get(refresh = false, signal) {
      const anew = refresh && performance.now() - refreshedAt > 1_000;
      if (anew) refreshedAt = performance.now();
      return runs.join(load, anew, signal);
    },
  };
}

function tail(stderr: string): string {
  const clean = scrub(stderr).trim().replace(/\s+/g, " ").replace(/\.$/, "");
  return clean.length > 600 ? `… ${clean.slice(-600)}` : clean;
}

/** Runs an auth-provider of an old kubeconfig (oidc, gcp, azure) with the client library. */
async function providerCredentials(user: Entry, provider: JsonObject, cluster: ExecCluster): Promise<Credentials> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  // The library follows this variable, and would send a refresh token to any server.
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: "cluster", server: cluster.server, skipTLSVerify: false },
    { name: user.name, authProvider: provider },
  );
  const options: { headers?: Record<string, unknown> } = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    const kind = nonEmpty(provider.name) ?? "unknown";
    throw new KubeError(
      "KUBECONFIG_AUTH_PROVIDER",
      `The auth-provider "${kind}" of user "${user.name}" failed: ${tail(String((error as Error).message))}.`,
      { remedy: "Log in again, or move to an exec plugin: auth-provider was removed from kubectl in 1.26." },
    );
  }
  const authorization = options.headers?.Authorization;
  return typeof authorization === "string" ? { authorization } : {};
}

function requirePair(user: Entry, certPem: string, keyPem: string): void {
  const problem = pairProblem(certPem, keyPem);
  if (problem === undefined) return;
  const [certificate, key] = [fieldOf(user, "client-certificate"), fieldOf(user, "client-key")];
  throw new KubeError(
    "KUBECONFIG_CREDENTIAL_INVALID",
    `${certificate} and ${key} of user "${user.name}" of the kubeconfig cannot be used together: ${problem}.`,
    {
      remedy:
        "Set both fields to the certificate and the key that were issued together. Requests with others would arrive without a credential.",
    },
  );
}

/** The field that is used: "client-key-data", or "client-key" with its path. */
function fieldOf(user: Entry, key: "client-certificate" | "client-key"): string {
  return nonEmpty(user.value[`${key}-data`]) === undefined
    ? `${key} (${pathOf(user, nonEmpty(user.value[key]) ?? "")})`
    : `${key}-data`;
}

function dataOrFile(user: Entry, key: "client-certificate" | "client-key"): string | undefined {
  const data = nonEmpty(user.value[`${key}-data`]);
  if (data !== undefined) return Buffer.from(data, "base64").toString("utf8");
  const file = nonEmpty(user.value[key]);
  return file === undefined ? undefined : readCredential(pathOf(user, file), key);
}

function readCredential(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new KubeError("KUBECONFIG_CREDENTIAL_MISSING", `The ${what} ${path} cannot be read (${code}).`, {
      remedy: "Correct the path. A relative path in a kubeconfig starts at the folder of the kubeconfig.",
    });
  }
}
