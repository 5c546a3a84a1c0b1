import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { ExecAuth } from "@kubernetes/client-node/dist/exec_auth.js";
import { KubeError, scrub } from "./errors.ts";
import { type Entry, isObject, type JsonObject, pathOf, text } from "./kubeconfig.ts";

/** What one request authenticates with. */
export interface Credentials {
  /** Complete Authorization header. */
  readonly authorization?: string;
  /** PEM. */
  readonly certPem?: string;
  /** PEM. */
  readonly keyPem?: string;
}

/** Gives the credentials for a request. `refresh` asks for new ones because the server refused the last. */
export interface CredentialSource {
  /** Whether asking again can bring something new (a plugin, a token file that rotates). */
  readonly refreshable: boolean;
  get(refresh?: boolean): Promise<Credentials>;
}

/** The cluster as an exec plugin is told of it. */
export interface ExecCluster {
  readonly server: string;
  readonly caPem: string;
  readonly tlsServerName?: string;
}

/** How long an exec plugin may take. Cloud logins start interpreters and call home. */
const execTimeoutMs = 30_000;

export function fixedCredentials(credentials: Credentials): CredentialSource {
  return { refreshable: false, get: async () => credentials };
}

/** A token in a file that something else rotates: read again at most every few seconds, and on a refusal. */
export function tokenFileCredentials(path: string, base: Credentials = {}, now = Date.now): CredentialSource {
  let token = "";
  let readAt = Number.NEGATIVE_INFINITY;
  return {
    refreshable: true,
    async get(refresh) {
      if (refresh || now() - readAt > 10_000) {
        token = readCredential(path, "token file").trim();
        readAt = now();
      }
      return { ...base, authorization: `Bearer ${token}` };
    },
  };
}

/**
 * The credentials of a kubeconfig's user, in kubectl's order of precedence.
 *
 * @throws KubeError KUBECONFIG_CREDENTIAL_MISSING for a file that is not there, KUBECONFIG_CREDENTIAL_INVALID
 */
export function userCredentials(user: Entry, cluster: ExecCluster, env: NodeJS.ProcessEnv): CredentialSource {
  const { value } = user;
  const certPem = dataOrFile(user, "client-certificate");
  const keyPem = dataOrFile(user, "client-key");
  if ((certPem === undefined) !== (keyPem === undefined)) {
    throw new KubeError(
      "KUBECONFIG_CREDENTIAL_INVALID",
      `User "${user.name}" of the kubeconfig has a client ${certPem === undefined ? "key without a certificate" : "certificate without a key"}.`,
      { remedy: "Give both client-certificate and client-key, or neither." },
    );
  }
  const certificate: Credentials = certPem === undefined ? {} : { certPem, keyPem };
  const tokenFile = text(value.tokenFile);
  const token = text(value.token);
  if (tokenFile !== undefined) return tokenFileCredentials(pathOf(user, tokenFile), certificate);
  if (token !== undefined) return fixedCredentials({ ...certificate, authorization: `Bearer ${token}` });
  const username = text(value.username);
  if (username !== undefined) {
    const pair = Buffer.from(`${username}:${text(value.password) ?? ""}`).toString("base64");
    return fixedCredentials({ ...certificate, authorization: `Basic ${pair}` });
  }
  if (isObject(value.exec)) return execCredentials(user, value.exec, cluster, env);
  const provider = value["auth-provider"];
  if (isObject(provider)) return shared(() => providerCredentials(user, provider, cluster));
  return fixedCredentials(certificate);
}

/** Calls at the same time share one run. Several requests that are refused together ask for new ones once. */
function shared(load: (refresh: boolean) => Promise<Credentials>): CredentialSource {
  let running: Promise<Credentials> | undefined;
  let refreshedAt = Number.NEGATIVE_INFINITY;
  return {
    refreshable: true,
    get(refresh = false) {
      const fresh = refresh && performance.now() - refreshedAt > 1_000;
      if (fresh) refreshedAt = performance.now();
      if (running === undefined || fresh) {
        const started = load(fresh).finally(() => {
          if (running === started) running = undefined;
        });
        running = started;
      }
      return running;
    },
  };
}

type Exec = { readonly command: string; readonly args: readonly string[]; readonly env: readonly JsonObject[] };

/** An exec plugin's credentials: kept until the expiry that it named, asked for again when the server refuses them. */
function execCredentials(
  user: Entry,
  spec: JsonObject,
  cluster: ExecCluster,
  env: NodeJS.ProcessEnv,
): CredentialSource {
  const exec = readExec(user, spec, cluster, env);
  let child: ChildProcess | undefined;
  const execFn = (command: string, args: readonly string[], options: object) => {
    child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    return child;
  };
  let keeper: ExecAuth | undefined;
  return shared(async (refresh) => {
    // This module of the client library needs nothing else of it; its entry point costs 300 ms.
    const library = await import("@kubernetes/client-node/dist/exec_auth.js");
    // The library keeps an answer until the expiry in it; a new keeper forgets.
    const keep = keeper === undefined || refresh ? Object.assign(new library.ExecAuth(), { execFn }) : keeper;
    keeper = keep;
    const options: { headers?: Record<string, string>; cert?: string; key?: string } = {};
    const asked = keep.applyAuthentication({ name: user.name, exec }, options);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      child?.kill("SIGKILL");
      late.reject(timedOut(user, exec));
    }, execTimeoutMs);
    try {
      await Promise.race([asked, late.promise]);
    } catch (error) {
      throw execError(error, user, exec, spec);
    } finally {
      clearTimeout(timer);
    }
    const authorization = options.headers?.Authorization;
    if (typeof authorization !== "string" && !(options.cert && options.key)) {
      throw new KubeError(
        "KUBECONFIG_EXEC_FAILED",
        `${plugin(user, exec)} printed neither a token nor a certificate.`,
        {
          remedy: "Expected an ExecCredential with status.token, or status.clientCertificateData and clientKeyData.",
        },
      );
    }
    return {
      ...(typeof authorization === "string" ? { authorization } : {}),
      ...(options.cert && options.key ? { certPem: options.cert, keyPem: options.key } : {}),
    };
  });
}

function timedOut(user: Entry, exec: Exec): KubeError {
  return new KubeError(
    "KUBECONFIG_EXEC_TIMEOUT",
    `${plugin(user, exec)} did not answer within ${execTimeoutMs / 1000} s.`,
    { remedy: "Run it by hand: it may be waiting for a login that it cannot ask for here." },
  );
}

function readExec(user: Entry, spec: JsonObject, cluster: ExecCluster, env: NodeJS.ProcessEnv): Exec {
  const command = text(spec.command);
  if (command === undefined) {
    throw new KubeError("KUBECONFIG_EXEC_MISSING", `The exec plugin of user "${user.name}" has no command.`, {
      remedy: "Set users[].user.exec.command.",
    });
  }
  const info = {
    apiVersion: text(spec.apiVersion) ?? "client.authentication.k8s.io/v1",
    kind: "ExecCredential",
    spec: {
      interactive: false,
      ...(spec.provideClusterInfo === true
        ? {
            cluster: {
              server: cluster.server,
              "tls-server-name": cluster.tlsServerName,
              "certificate-authority-data": cluster.caPem ? Buffer.from(cluster.caPem).toString("base64") : undefined,
            },
          }
        : {}),
    },
  };
  const inherited = Object.entries(env).map(([name, value]) => ({ name, value: value ?? "" }));
  const own = Array.isArray(spec.env) ? spec.env.filter(isObject) : [];
  return {
    // A command with a slash is relative to the kubeconfig, a bare one is looked for on the PATH.
    command: /[\\/]/.test(command) ? resolve(user.folder, command) : command,
    args: Array.isArray(spec.args) ? spec.args.map(String) : [],
    env: [...inherited, { name: "KUBERNETES_EXEC_INFO", value: JSON.stringify(info) }, ...own],
  };
}

function plugin(user: Entry, exec: Exec): string {
  return `The exec plugin "${exec.command}" of user "${user.name}"`;
}

function execError(error: unknown, user: Entry, exec: Exec, spec: JsonObject): KubeError {
  if (error instanceof KubeError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT" || code === "EACCES") {
    const hint = text(spec.installHint);
    return new KubeError(
      "KUBECONFIG_EXEC_MISSING",
      `${plugin(user, exec)} ${code === "ENOENT" ? "is not installed" : "may not be run"}.`,
      { remedy: hint ? scrub(hint.trim()) : "Install it, or put its folder on the PATH." },
    );
  }
  // A syntax error of JSON.parse and a missing status quote what was printed, which is where the credential is.
  const unreadable = error instanceof SyntaxError || error instanceof TypeError;
  const said = unreadable ? "what it printed is not an ExecCredential" : tail(String((error as Error).message));
  return new KubeError("KUBECONFIG_EXEC_FAILED", `${plugin(user, exec)} failed: ${said || "it said nothing"}.`, {
    remedy: "Run it by hand, log in again if it asks for that, and try again.",
  });
}

function tail(stderr: string): string {
  const clean = scrub(stderr).trim().replace(/\s+/g, " ").replace(/\.$/, "");
  return clean.length > 600 ? `… ${clean.slice(-600)}` : clean;
}

/** The in-tree providers of old kubeconfigs (oidc, gcp, azure) are the client library's business. */
async function providerCredentials(user: Entry, provider: JsonObject, cluster: ExecCluster): Promise<Credentials> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: "cluster", server: cluster.server, skipTLSVerify: false },
    { name: user.name, authProvider: provider },
  );
  const options: { headers?: Record<string, unknown> } = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    const kind = text(provider.name) ?? "unknown";
    throw new KubeError(
      "KUBECONFIG_AUTH_PROVIDER",
      `The auth-provider "${kind}" of user "${user.name}" failed: ${tail(String((error as Error).message))}.`,
      { remedy: "Log in again, or move to an exec plugin: auth-provider was removed from kubectl in 1.26." },
    );
  }
  const authorization = options.headers?.Authorization;
  return typeof authorization === "string" ? { authorization } : {};
}

function dataOrFile(user: Entry, key: "client-certificate" | "client-key"): string | undefined {
  const data = text(user.value[`${key}-data`]);
  if (data !== undefined) return Buffer.from(data, "base64").toString("utf8");
  const file = text(user.value[key]);
  return file === undefined ? undefined : readCredential(pathOf(user, file), key);
}

function readCredential(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new KubeError("KUBECONFIG_CREDENTIAL_MISSING", `The ${what} ${path} cannot be read (${code}).`, {
      remedy: `Relative paths start at the kubeconfig's own folder (${dirname(path)}).`,
    });
  }
}
