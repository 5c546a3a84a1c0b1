import { existsSync, readFileSync } from "node:fs";
import type { Connection, Credentials, ExecCluster } from "../connection.ts";
import { KubeError } from "../errors.ts";
import { requireSendable } from "../headers.ts";
import { agentThrough } from "../transport/https.ts";
import { proxyUrl } from "../transport/proxyRules.ts";
import { caCertificates } from "./caCertificates.ts";
import { fixedCredentials, tokenFileCredentials, userCredentials } from "./credentials.ts";
import type { ExecOptions } from "./execPlugin.ts";
import { impersonation } from "./impersonation.ts";
import { accountFolder, inClusterContext, podAccount } from "./inCluster.ts";
import {
  type Entry,
  entryOf,
  findKubeconfig,
  isObject,
  type Kubeconfig,
  nonEmpty,
  pathOf,
  standardPath,
} from "./kubeconfig.ts";

/** The kubeconfig, and the entries of it to use. */
export interface ConnectionChoice {
  /** A path ("~" is the home folder) or the content. @default KUBECONFIG, ~/.kube/config, then the account of the pod */
  readonly kubeconfig?: string;
  /** `in-cluster` is the account of the pod, even if there is a kubeconfig. @default the current context */
  readonly context?: string;
  /** Name of a cluster of the kubeconfig. @default the context's */
  readonly cluster?: string;
  readonly exec?: ExecOptions;
}

/** Server and credentials without a kubeconfig. */
export interface DirectConnection {
  readonly server: string;
  /** PEM; "" means the public roots. */
  readonly caPem: string;
  readonly tlsServerName?: string;
  readonly token?: string;
  readonly certPem?: string;
  readonly keyPem?: string;
  /** Name of the credential in messages ("the reviewer token"). */
  readonly label?: string;
}

/**
 * Reads the connection from a kubeconfig or the pod. Sends no request: an exec plugin runs with the first one.
 *
 * @param accountPath folder of the pod's ServiceAccount
 * @throws KubeError KUBECONFIG_*
 */
export async function loadConnection(
  choice: ConnectionChoice,
  env: NodeJS.ProcessEnv,
  accountPath: string = accountFolder,
): Promise<Connection> {
  if (choice.context === inClusterContext) return requiredPod(env, accountPath);
  const config = await findKubeconfig(choice.kubeconfig, env);
  if (config !== undefined) return fromKubeconfig(config, choice, env);
  if (choice.context) {
    throw new KubeError(
      "KUBECONFIG_NOT_FOUND",
      `No kubeconfig was found, so there is no context "${choice.context}": none was given, KUBECONFIG is not set, and ${standardPath(env) ?? "~/.kube/config"} does not exist or is empty.`,
      {
        remedy: `Set the kubeconfig (path or content) or KUBECONFIG. In a pod, set the context to ${inClusterContext}.`,
      },
    );
  }
  const inCluster = fromPod(env, accountPath);
  if (inCluster !== undefined) return inCluster;
  throw new KubeError(
    "KUBECONFIG_NOT_FOUND",
    `No kubeconfig was found: none was given, KUBECONFIG is not set, ${standardPath(env) ?? "there is no home folder"}${standardPath(env) ? " does not exist or is empty" : ""}, and this is not a pod (KUBERNETES_SERVICE_HOST or ${accountPath}/token is missing).`,
    { remedy: "Set the kubeconfig (path or content) or KUBECONFIG." },
  );
}

/** A connection for explicit credentials. @throws KubeError KUBECONFIG_* */
export function directConnection(direct: DirectConnection, env: NodeJS.ProcessEnv = {}): Connection {
  const label = direct.label ?? (direct.token === undefined ? "the client certificate given" : "the token given");
  if (direct.token !== undefined) requireSendable(direct.token, capital(label));
  const credentials: Credentials = {
    ...(direct.token === undefined ? {} : { authorization: `Bearer ${direct.token}` }),
    ...(direct.certPem === undefined ? {} : { certPem: direct.certPem, keyPem: direct.keyPem }),
  };
  return {
    server: serverUrl(direct.server, label),
    caPem: direct.caPem === "" ? "" : caCertificates(direct.caPem, label),
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
  const context = entryOf(config, "contexts", contextName);
  if (context === undefined) {
    throw new KubeError("KUBECONFIG_CONTEXT_UNKNOWN", `${where(config)} has no context "${contextName}".`, {
      remedy: `It has: ${names(config.contexts)}.`,
    });
  }
  const clusterName = choice.cluster || nonEmpty(context.value.cluster);
  const cluster = clusterName === undefined ? undefined : entryOf(config, "clusters", clusterName);
  if (cluster === undefined) {
    throw new KubeError(
      "KUBECONFIG_CLUSTER_UNKNOWN",
      clusterName === undefined
        ? `Context "${contextName}" of ${config.source} names no cluster.`
        : `Context "${contextName}" of ${config.source} names the cluster "${clusterName}", which does not exist.`,
      { remedy: `The kubeconfig has the clusters: ${names(config.clusters)}.` },
    );
  }
  const userName = nonEmpty(context.value.user);
  const user = userName === undefined ? undefined : entryOf(config, "users", userName);
  if (user === undefined) {
    throw new KubeError(
      "KUBECONFIG_USER_UNKNOWN",
      userName === undefined
        ? `Context "${contextName}" of ${config.source} names no user.`
        : `Context "${contextName}" of ${config.source} names the user "${userName}", which does not exist.`,
      { remedy: `The kubeconfig has the users: ${names(config.users)}.` },
    );
  }
  const server = clusterServer(cluster);
  const caPem = clusterCa(cluster);
  const tlsServerName = nonEmpty(cluster.value["tls-server-name"]);
  const proxy = nonEmpty(cluster.value["proxy-url"]);
  return {
    server,
    caPem,
    tlsServerName,
    namespace: nonEmpty(context.value.namespace) ?? "default",
    context: contextName,
    cluster: cluster.name,
    user: user.name,
    source: config.source,
    impersonation: impersonation(user),
    credentials: userCredentials(
      user,
      execCluster(cluster, { server, caPem, tlsServerName, proxyUrl: proxy }),
      env,
      choice.exec,
    ),
    proxyAgent:
      proxy === undefined ? undefined : await agentThrough(proxyUrl(proxy, `proxy-url of cluster "${cluster.name}"`)),
    env,
  };
}

/** The connection of this pod's ServiceAccount. Undefined outside a pod. */
function fromPod(env: NodeJS.ProcessEnv, folder: string): Connection | undefined {
  const account = podAccount(env, folder);
  if (account === undefined) return undefined;
  const { caPath, tokenPath } = account;
  return {
    server: serverUrl(account.server, "this pod"),
    caPem: existsSync(caPath) ? caCertificates(readFileSync(caPath, "utf8"), caPath) : "",
    namespace: readOptional(account.namespacePath) ?? "default",
    context: inClusterContext,
    cluster: inClusterContext,
    user: "the pod's service account",
    source: "the pod's service account",
    impersonation: {},
    credentials: tokenFileCredentials(tokenPath),
    env,
  };
}

function requiredPod(env: NodeJS.ProcessEnv, folder: string): Connection {
  const pod = fromPod(env, folder);
  if (pod !== undefined) return pod;
  throw new KubeError(
    "KUBECONFIG_NOT_FOUND",
    `The context is ${inClusterContext}, but this is not a pod (KUBERNETES_SERVICE_HOST or ${folder}/token is missing).`,
    { remedy: "Run in a pod with a ServiceAccount, or name a context of a kubeconfig." },
  );
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
        remedy:
          "Without TLS verification the server's answers cannot be trusted. Remove insecure-skip-tls-verify and set certificate-authority-data.",
      },
    );
  }
  return serverUrl(nonEmpty(cluster.value.server) ?? "", `cluster "${cluster.name}"`);
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
      remedy: 'Expected a URL like "https://host:6443".',
    });
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new KubeError("KUBECONFIG_SERVER_INVALID", `The server of ${owner} has credentials, a query or a fragment.`, {
      remedy: 'Expected scheme, host, port and an optional path, like "https://host:6443".',
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function clusterCa(cluster: Entry): string {
  const data = nonEmpty(cluster.value["certificate-authority-data"]);
  const owner = `cluster "${cluster.name}"`;
  if (data !== undefined) return caCertificates(Buffer.from(data, "base64").toString("utf8"), owner);
  const file = nonEmpty(cluster.value["certificate-authority"]);
  if (file === undefined) return "";
  const path = pathOf(cluster, file);
  try {
    return caCertificates(readFileSync(path, "utf8"), `${path} (${owner})`);
  } catch (error) {
    if (error instanceof KubeError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new KubeError("KUBECONFIG_CA_MISSING", `The CA file ${path} of ${owner} cannot be read (${code}).`, {
      remedy: "Correct certificate-authority, or embed the CA as certificate-authority-data.",
    });
  }
}

/** @see https://kubernetes.io/docs/reference/config-api/client-authentication.v1/#client-authentication-k8s-io-v1-Cluster */
function execCluster({ value }: Entry, known: ExecCluster): ExecCluster {
  const extensions = Array.isArray(value.extensions) ? value.extensions.filter(isObject) : [];
  const own = extensions.find(({ name }) => name === "client.authentication.k8s.io/exec");
  return { ...known, disableCompression: value["disable-compression"] === true || undefined, config: own?.extension };
}

function where(config: Kubeconfig): string {
  return config.source.startsWith("the ") ? capital(config.source) : config.source;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function names(entries: readonly Entry[]): string {
  return entries.map((entry) => entry.name).join(", ") || "none";
}
