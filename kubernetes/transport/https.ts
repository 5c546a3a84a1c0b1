/** One HTTPS request and its whole answer, for the Kubernetes client and the client of Akeyless. */
import { Agent, type RequestOptions, request } from "node:https";
import type { TLSSocket } from "node:tls";
import { ProxyAgent, type TunnelOptions } from "./proxyAgent.ts";
import { environmentProxy } from "./proxyRules.ts";
import { checkServerIdentity, signatureAlgorithms } from "./serverIdentity.ts";

export interface HttpsRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: RequestOptions["headers"];
  readonly body?: string;
  readonly agent: Agent;
  /** Ends the request. */
  readonly signal: AbortSignal;
  /** CA certificates of the server, PEM; "" or undefined for public CAs. */
  readonly caPem?: string;
  /** Client certificate and its key, PEM. */
  readonly certPem?: string;
  readonly keyPem?: string;
  /** Name that the server's certificate must carry. @default the host of `url` */
  readonly serverName?: string;
}

/** An answer of any status. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** The step at which a request failed. */
export type Stage = "connecting" | "handshake" | "waiting" | "reading";

/** A request without a complete answer. The cause is the error of Node.js, or a KubeError of the proxy. */
export class HttpsFailure extends Error {
  readonly stage: Stage;

  constructor(cause: unknown, stage: Stage) {
    super((cause as Error).message, { cause });
    this.name = "HttpsFailure";
    this.stage = stage;
  }
}

// Few connections are faster than many: a handshake costs more than a request.
const pool = {
  keepAlive: true,
  maxSockets: 3,
  scheduling: "lifo",
  checkServerIdentity,
  sigalgs: signatureAlgorithms,
} as const;

/** Connections through the proxies of the environment, by Go's rules. They stay open until `destroy`. */
export function environmentAgent(env: NodeJS.ProcessEnv): Agent {
  if (!env.HTTPS_PROXY && !env.https_proxy) return new Agent(pool);
  return new ProxyAgent((host, port) => environmentProxy(host, port, env), pool);
}

/** Connections through one proxy, to any server. */
export function agentThrough(proxy: URL): Agent {
  return new ProxyAgent(() => proxy, pool);
}

/** Sends one request and reads the whole answer. @throws HttpsFailure */
export function exchange(asked: HttpsRequest): Promise<HttpResponse> {
  const { url, agent, signal, method, body, caPem, certPem, keyPem, serverName } = asked;
  const options: RequestOptions & TunnelOptions = {
    agent,
    tunnelSignal: signal,
    method,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port || 443,
    path: url.pathname + url.search,
    ca: caPem || undefined,
    // Whatever NODE_TLS_REJECT_UNAUTHORIZED says, which would send credentials to any server.
    rejectUnauthorized: true,
    // A CA need not be a root, as in Go's clients.
    allowPartialTrustChain: true,
    cert: certPem,
    key: keyPem,
    servername: serverName,
    minVersion: "TLSv1.2",
    headers: {
      "User-Agent": "k8sauth",
      ...asked.headers,
      ...(body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) }),
    } as RequestOptions["headers"],
  };
  return new Promise((resolve, reject) => {
    let stage: Stage = "connecting";
    const fail = (error: unknown) => reject(new HttpsFailure(error, stage));
    let outgoing: ReturnType<typeof request>;
    try {
      outgoing = request(options);
    } catch (error) {
      // OpenSSL cannot read the certificate or key. The message contains no part of it.
      fail(error);
      return;
    }
    const abort = () => {
      // A request that waits for a free connection emits nothing when it is destroyed.
      fail(new Error("aborted"));
      outgoing.destroy();
    };
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    outgoing.once("close", () => signal.removeEventListener("abort", abort));
    outgoing.once("socket", (socket) => {
      // After a wait in the agent's queue the socket is connected, but `reusedSocket` is false.
      if (outgoing.reusedSocket || isSecure(socket as TLSSocket)) {
        stage = "waiting";
        return;
      }
      // A tunnel is already connected.
      if (!socket.connecting) stage = "handshake";
      socket.once("connect", () => {
        stage = "handshake";
      });
      socket.once("secureConnect", () => {
        stage = "waiting";
      });
    });
    outgoing.on("error", fail);
    outgoing.once("response", (incoming) => {
      stage = "reading";
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", fail);
      incoming.once("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          text: Buffer.concat(chunks).toString("utf8"),
        }),
      );
    });
    outgoing.end(body);
  });
}

/**
 * The header Retry-After in milliseconds (RFC 9110, section 10.2.3). Undefined without a number of seconds, and for a number that is too large
 * for a timer.
 */
export function retryAfterMs({ headers }: HttpResponse): number | undefined {
  const seconds = String(headers["retry-after"]);
  return /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1000 : undefined;
}

function isSecure(socket: TLSSocket): boolean {
  return !socket.connecting && ![null, "unknown"].includes(socket.getProtocol());
}
