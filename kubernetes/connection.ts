import type { Agent } from "node:https";
import type { Json } from "./kubeconfig/kubeconfig.ts";

/** Everything that a client needs for requests to one API server as one user. */
export interface Connection {
  /** Base URL without a trailing slash; always https. */
  readonly server: string;
  /** CA certificates of the server, PEM; "" means the public roots that Node.js trusts. */
  readonly caPem: string;
  /** The name that the server's certificate must carry. @default the host of `server` */
  readonly tlsServerName?: string;
  /** Namespace of the context; "default" without one. */
  readonly namespace: string;
  /** Name of the context; "" without a kubeconfig. This and the next three are for messages. */
  readonly context: string;
  /** Name of the cluster; "" without a kubeconfig. */
  readonly cluster: string;
  /** Name of the user; without a kubeconfig a name for the credential ("the reviewer token"). */
  readonly user: string;
  /** Where the kubeconfig comes from: its path or paths, or a description; "" without one. */
  readonly source: string;
  /** Impersonate-* headers. */
  readonly impersonation: Readonly<Record<string, string | readonly string[]>>;
  readonly credentials: CredentialSource;
  /** Connections through the proxy of the kubeconfig. @default HTTPS_PROXY and NO_PROXY of `env` decide */
  readonly proxyAgent?: Agent;
  readonly env: NodeJS.ProcessEnv;
}

/** The credentials of one request. */
export interface Credentials {
  /** Value of the header Authorization. */
  readonly authorization?: string;
  /** PEM. */
  readonly certPem?: string;
  /** PEM. */
  readonly keyPem?: string;
}

/** Supplies the credentials of each request. */
export interface CredentialSource {
  /** Whether a refresh can return other credentials (an exec plugin, a token file). */
  readonly refreshable: boolean;
  /**
   * Returns the credentials for a request.
   *
   * @param refresh whether to get new ones, because the server rejected the last
   * @param signal cancels the wait. A plugin that no other caller waits for is killed.
   */
  get(refresh?: boolean, signal?: AbortSignal): Promise<Credentials>;
}

/** The cluster as exec plugins receive it. */
export interface ExecCluster {
  readonly server: string;
  readonly caPem: string;
  readonly tlsServerName?: string;
  /** `proxy-url` of the kubeconfig. */
  readonly proxyUrl?: string;
  readonly disableCompression?: boolean;
  /** Settings of the plugin for this cluster: its extension `client.authentication.k8s.io/exec`. */
  readonly config?: Json;
}
