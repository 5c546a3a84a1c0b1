import { readFileSync } from "node:fs";
import type { CredentialSource, Credentials, ExecCluster } from "../connection.ts";
import { KubeError } from "../errors.ts";
import { requireSendable } from "../headers.ts";
import { claims } from "../jwt.ts";
import { type ExecOptions, execCredentials } from "./execPlugin.ts";
import { pairProblem } from "./keyPair.ts";
import { type Entry, isObject, type JsonObject, nonEmpty, pathOf } from "./kubeconfig.ts";

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
  if (isObject(provider)) {
    return {
      refreshable: false,
      get: async () => ({ ...certificate, authorization: `Bearer ${idToken(user, provider)}` }),
    };
  }
  return fixedCredentials(certificate);
}

/**
 * The ID token that kubectl stored for an auth-provider `oidc`. It is not renewed here: the provider can issue another refresh token with it, and
 * kubectl's login would be lost. kubectl no longer has the other providers.
 *
 * @throws KubeError KUBECONFIG_AUTH_PROVIDER
 */
function idToken(user: Entry, provider: JsonObject): string {
  const name = nonEmpty(provider.name) ?? "";
  const who = `User "${user.name}" of the kubeconfig has the auth-provider "${name}"`;
  const refused = (why: string, remedy: string) =>
    new KubeError("KUBECONFIG_AUTH_PROVIDER", `${who}${why}.`, { remedy });
  if (name !== "oidc")
    throw refused(
      ", which kubectl has not had since 1.26",
      "Use an exec plugin, such as the one that your provider documents.",
    );
  const token = nonEmpty(isObject(provider.config) ? provider.config["id-token"] : undefined);
  const expiry = token === undefined ? undefined : claims(token)?.exp;
  if (token === undefined || typeof expiry !== "number" || expiry * 1_000 <= Date.now())
    throw refused(
      " without a valid ID token",
      "Run a command of kubectl with it, which renews the token, and retry. Use an exec plugin for scheduled runs.",
    );
  requireSendable(token, `The ID token of user "${user.name}"`);
  return token;
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
