import { existsSync, readFileSync } from "node:fs";
import type { Agent } from "node:https";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import {
  type CredentialSource,
  type Credentials,
  fixedCredentials,
  tokenFileCredentials,
  userCredentials,
} from "./credentials.ts";
import { KubeError } from "./errors.ts";
import { type Entry, findKubeconfig, isObject, type Kubeconfig, pathOf, standardPath, text } from "./kubeconfig.ts";
import { certificates } from "./pem.ts";

/** Everything that a client needs to talk to one API server as one user. */
export interface Connection {
  /** Base URL without a trailing slash; always https. */
  readonly server: string;
  /** CA certificates of the server, PEM; "" means the public roots that Node.js trusts. */
  readonly caPem: string;
  /** The name that the server's certificate must carry, when it is not the one in `server`. */
  readonly tlsServerName?: string;
  /** Namespace of the context; "default" without one. */
  readonly namespace: string;
  /** Names, for messages: context, cluster and user of the kubeconfig, and where that came from. */
  readonly context: string;
  readonly cluster: string;
  readonly user: string;
  readonly source: string;
  /** Impersonate-* headers. */
  readonly impersonation: Readonly<Record<string, string | readonly string[]>>;
  readonly credentials: CredentialSource;
  /** A proxy that the kubeconfig asks for; without one, HTTPS_PROXY and NO_PROXY of `env` are honoured. */
  readonly proxyAgent?: Agent;
  readonly env: NodeJS.ProcessEnv;
}

/** Which kubeconfig, and what of it. */
export interface ConnectionChoice {
  /** A path ("~" is the home folder) or the content. Default: KUBECONFIG, ~/.kube/config, then the pod's own account. */
  readonly kubeconfig?: string;
  /** Default: the current context. */
  readonly context?: string;
  /** Uses this cluster of the kubeconfig instead of the context's. */
  readonly cluster?: string;
}

/** Credentials and server given one by one, without a kubeconfig: to prove that they work. */
export interface DirectConnection {
  readonly server: string;
  /** PEM; "" means the public roots. */
  readonly caPem: string;
  readonly tlsServerName?: string;
  readonly token?: string;
  readonly certPem?: string;
  readonly keyPem?: string;
  /** What to call the credential in messages ("the reviewer token"). */
  readonly label?: string;
}

const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Finds the connection of the deployer. Nothing is sent anywhere; an exec plugin runs with the first request.
 *
 * @param accountPath folder of the pod's own service account
 * @throws KubeError KUBECONFIG_*: what was looked for, where, and what would be right
 */
export async function loadConnection(
  choice: ConnectionChoice,
  env: NodeJS.ProcessEnv,
  accountPath: string = accountFolder,
): Promise<Connection> {
  const config = await findKubeconfig(choice.kubeconfig, env);
  if (config !== undefined) return fromKubeconfig(config, choice, env);
  const inCluster = fromPod(env, accountPath);
  if (inCluster !== undefined) return inCluster;
  throw new KubeError(
    "KUBECONFIG_NOT_FOUND",
    `No kubeconfig was found: none was given, KUBECONFIG is not set, ${standardPath(env) ?? "there is no home folder"}${standardPath(env) ? " does not exist" : ""}, and this is not a pod (KUBERNETES_SERVICE_HOST or ${accountPath}/token is missing).`,
    { remedy: "Give a kubeconfig (path or content), or set KUBECONFIG." },
  );
}

/** A connection for explicit credentials. */
export function directConnection(direct: DirectConnection, env: NodeJS.ProcessEnv = {}): Connection {
  const label = direct.label ?? (direct.token === undefined ? "the client certificate given" : "the token given");
  const credentials: Credentials = {
    ...(direct.token === undefined ? {} : { authorization: `Bearer ${direct.token}` }),
    ...(direct.certPem === undefined ? {} : { certPem: direct.certPem, keyPem: direct.keyPem }),
  };
  return {
    server: serverUrl(direct.server, label),
    caPem: direct.caPem === "" ? "" : certificates(direct.caPem, label),
    tlsServerName: direct.tlsServerName,
    namespace: "default",
    context: "",
    cluster: "",
    user: label,
    source: "",
    impersonation: {},
    credentials: fixedCredentials(credentials),
    env,
  };
}

async function fromKubeconfig(
  config: Kubeconfig,
  choice: ConnectionChoice,
  env: NodeJS.ProcessEnv,
): Promise<Connection> {
  const contextName = choice.context || config.currentContext;
  if (contextName === "") {
    throw new KubeError(
      "KUBECONFIG_NO_CONTEXT",
      `${where(config)} has no current-context, and no context was chosen.`,
      {
        remedy: `Choose one of: ${names(config.contexts)}.`,
      },
    );
  }
  const context = config.contexts.find((entry) => entry.name === contextName);
  if (context === undefined) {
    throw new KubeError("KUBECONFIG_CONTEXT_UNKNOWN", `${where(config)} has no context "${contextName}".`, {
      remedy: `It has: ${names(config.contexts)}.`,
    });
  }
  const clusterName = choice.cluster || text(context.value.cluster);
  const cluster = config.clusters.find((entry) => entry.name === clusterName);
  if (cluster === undefined) {
    throw new KubeError(
      "KUBECONFIG_CLUSTER_UNKNOWN",
      clusterName === undefined
        ? `Context "${contextName}" of ${config.source} names no cluster.`
        : `Context "${contextName}" of ${config.source} asks for cluster "${clusterName}", which is not there.`,
      { remedy: `It has: ${names(config.clusters)}.` },
    );
  }
  const userName = text(context.value.user);
  const user = config.users.find((entry) => entry.name === userName);
  if (user === undefined) {
    throw new KubeError(
      "KUBECONFIG_USER_UNKNOWN",
      userName === undefined
        ? `Context "${contextName}" of ${config.source} names no user.`
        : `Context "${contextName}" of ${config.source} asks for user "${userName}", which is not there.`,
      { remedy: `It has: ${names(config.users)}.` },
    );
  }
  const server = clusterServer(cluster);
  const caPem = clusterCa(cluster);
  const tlsServerName = text(cluster.value["tls-server-name"]);
  const proxyUrl = text(cluster.value["proxy-url"]);
  return {
    server,
    caPem,
    tlsServerName,
    namespace: text(context.value.namespace) ?? "default",
    context: contextName,
    cluster: cluster.name,
    user: user.name,
    source: config.source,
    impersonation: impersonation(user),
    credentials: userCredentials(user, { server, caPem, tlsServerName }, env),
    proxyAgent: proxyUrl === undefined ? undefined : await proxyAgent(proxyUrl, server),
    env,
  };
}

/** The account of the pod that we run in; its token is read again as it rotates. */
function fromPod(env: NodeJS.ProcessEnv, folder: string): Connection | undefined {
  const host = env.KUBERNETES_SERVICE_HOST;
  const tokenPath = join(folder, "token");
  if (!host || !existsSync(tokenPath)) return undefined;
  const caPath = join(folder, "ca.crt");
  return {
    server: serverUrl(
      `https://${isIPv6(host) ? `[${host}]` : host}:${env.KUBERNETES_SERVICE_PORT || "443"}`,
      "this pod",
    ),
    caPem: existsSync(caPath) ? certificates(readFileSync(caPath, "utf8"), caPath) : "",
    namespace: readOptional(join(folder, "namespace")) ?? "default",
    context: "in-cluster",
    cluster: "in-cluster",
    user: "the pod's service account",
    source: "the pod's service account",
    impersonation: {},
    credentials: tokenFileCredentials(tokenPath),
    env,
  };
}

function readOptional(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8").trim() || undefined : undefined;
}

function clusterServer(cluster: Entry): string {
  if (cluster.value["insecure-skip-tls-verify"] === true) {
    throw new KubeError(
      "KUBECONFIG_INSECURE",
      `Cluster "${cluster.name}" of the kubeconfig sets insecure-skip-tls-verify.`,
      {
        remedy: "A server that proves nothing cannot vouch for anybody. Remove it and set certificate-authority-data.",
      },
    );
  }
  return serverUrl(text(cluster.value.server) ?? "", `cluster "${cluster.name}"`);
}

function serverUrl(given: string, owner: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol === "http:") {
    throw new KubeError("KUBECONFIG_INSECURE", `The server of ${owner} is ${url.origin}, which is not encrypted.`, {
      remedy: "Use the https address of the API server.",
    });
  }
  if (url?.protocol !== "https:") {
    throw new KubeError("KUBECONFIG_SERVER_INVALID", `The server of ${owner} is not a URL: ${JSON.stringify(given)}.`, {
      remedy: 'Expected something like "https://host:6443".',
    });
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new KubeError(
      "KUBECONFIG_SERVER_INVALID",
      `The server of ${owner} carries credentials, a query or a fragment.`,
      {
        remedy: 'Expected only scheme, host, port and perhaps a path, like "https://host:6443".',
      },
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function clusterCa(cluster: Entry): string {
  const data = text(cluster.value["certificate-authority-data"]);
  const owner = `cluster "${cluster.name}"`;
  if (data !== undefined) return certificates(Buffer.from(data, "base64").toString("utf8"), owner);
  const file = text(cluster.value["certificate-authority"]);
  if (file === undefined) return "";
  const path = pathOf(cluster, file);
  try {
    return certificates(readFileSync(path, "utf8"), `${path} (${owner})`);
  } catch (error) {
    if (error instanceof KubeError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new KubeError("KUBECONFIG_CA_MISSING", `The CA file ${path} of ${owner} cannot be read (${code}).`, {
      remedy: "Correct certificate-authority, or embed the CA as certificate-authority-data.",
    });
  }
}

function impersonation(user: Entry): Record<string, string | readonly string[]> {
  const as = text(user.value.as);
  if (as === undefined) return {};
  const headers: Record<string, string | readonly string[]> = { "Impersonate-User": as };
  const uid = text(user.value["as-uid"]);
  if (uid !== undefined) headers["Impersonate-Uid"] = uid;
  const groups = user.value["as-groups"];
  if (Array.isArray(groups)) headers["Impersonate-Group"] = groups.map(String);
  const extra = user.value["as-user-extra"];
  if (isObject(extra)) {
    for (const [key, values] of Object.entries(extra)) {
      headers[`Impersonate-Extra-${encodeURIComponent(key)}`] = Array.isArray(values) ? values.map(String) : [];
    }
  }
  return headers;
}

/** SOCKS and HTTP proxies of a kubeconfig are the client library's business; only such a kubeconfig pays for its import. */
async function proxyAgent(proxyUrl: string, server: string): Promise<Agent | undefined> {
  if (!URL.canParse(proxyUrl)) {
    throw new KubeError("KUBECONFIG_SERVER_INVALID", "The proxy-url of the cluster is not a URL.", {
      remedy: 'Expected "http://host:port", "https://host:port" or "socks5://host:port".',
    });
  }
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: "cluster", server, proxyUrl, skipTLSVerify: false }, { name: "user" });
  const options: { agent?: unknown } = {};
  await config.applyToHTTPSOptions(options);
  const agent = options.agent as Agent | undefined;
  // Node.js lets an agent's options win over a request's, also those that are undefined: CA and certificate come with ours.
  const own = (agent?.options ?? {}) as Record<string, unknown>;
  for (const key of Object.keys(own)) if (own[key] === undefined) delete own[key];
  return agent;
}

function where(config: Kubeconfig): string {
  return config.source.startsWith("the ") ? `T${config.source.slice(1)}` : config.source;
}

function names(entries: readonly Entry[]): string {
  return entries.map((entry) => entry.name).join(", ") || "none";
}
