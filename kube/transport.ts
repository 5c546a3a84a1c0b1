import { Agent, type RequestOptions, request } from "node:https";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Connection } from "./config.ts";
import type { Credentials } from "./credentials.ts";
import { KubeError } from "./errors.ts";

/** One HTTP request to be made. */
export interface Attempt {
  readonly method: string;
  /** Path and query below the server's base URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  readonly credentials: Credentials;
  /** Ends the attempt; its reason decides between KUBE_TIMEOUT and KUBE_CANCELLED. */
  readonly signal: AbortSignal;
}

/** What came back. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** The reason that a deadline aborts with. */
export const deadlineReason = Symbol("deadline");

/**
 * Connections of one client. Keeps them open; `destroy` closes them. Few are faster than many: a handshake costs more than
 * a request.
 */
export function agentFor(connection: Connection): Agent {
  return (
    connection.proxyAgent ??
    new Agent({ keepAlive: true, maxSockets: 3, scheduling: "lifo", proxyEnv: proxyVariables(connection.env) })
  );
}

function proxyVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv | undefined {
  const { HTTPS_PROXY, https_proxy, NO_PROXY, no_proxy } = env;
  return HTTPS_PROXY || https_proxy ? { HTTPS_PROXY, https_proxy, NO_PROXY, no_proxy } : undefined;
}

/**
 * Sends one request and reads the whole answer, whatever its status.
 *
 * @throws KubeError for everything that keeps an answer from coming
 */
export function send(connection: Connection, agent: Agent, attempt: Attempt): Promise<RawAnswer> {
  const url = new URL(connection.server + attempt.path);
  const { authorization, certPem, keyPem } = attempt.credentials;
  const options: RequestOptions = {
    agent,
    method: attempt.method,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port || 443,
    path: url.pathname + url.search,
    ca: connection.caPem || undefined,
    // As kubectl and every client in Go has it: whoever is named as a CA is trusted, root or not.
    allowPartialTrustChain: true,
    cert: certPem,
    key: keyPem,
    servername: connection.tlsServerName,
    minVersion: "TLSv1.2",
    headers: {
      // Key sets have a type of their own, and the server is strict about what is asked for.
      Accept: "application/json, */*",
      "User-Agent": "k8sauth",
      ...connection.impersonation,
      ...attempt.headers,
      ...(authorization === undefined ? {} : { Authorization: authorization }),
      ...(attempt.body === undefined ? {} : { "Content-Length": Buffer.byteLength(attempt.body) }),
    } as RequestOptions["headers"],
  };
  return new Promise((resolve, reject) => {
    let stage: Stage = "connecting";
    const fail = (error: unknown) => reject(networkError(error, connection, attempt, stage));
    let outgoing: ReturnType<typeof request>;
    try {
      outgoing = request(options);
    } catch (error) {
      // A certificate or key that OpenSSL cannot read fails here; its message holds no part of it.
      fail(error);
      return;
    }
    const abort = () => {
      // A request that still waits for a free connection says nothing when it is destroyed.
      fail(new Error("aborted"));
      outgoing.destroy();
    };
    if (attempt.signal.aborted) abort();
    attempt.signal.addEventListener("abort", abort, { once: true });
    outgoing.once("close", () => attempt.signal.removeEventListener("abort", abort));
    outgoing.once("socket", (socket) => {
      // A request that waited in the agent's queue gets a socket that is connected, but not called reused.
      if (outgoing.reusedSocket || isConnected(socket as TLSSocket)) {
        stage = "waiting";
        return;
      }
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
    outgoing.end(attempt.body);
  });
}

type Stage = "connecting" | "handshake" | "waiting" | "reading";

const stageText: Readonly<Record<Stage, string>> = {
  connecting: "no connection was made",
  handshake: "the TLS handshake did not end",
  waiting: "no answer came",
  reading: "the answer did not end",
};

const untrusted = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "CERT_REJECTED",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
]);

/** Turns what Node.js reports into an error of the catalogue. */
export function networkError(error: unknown, connection: Connection, attempt: Attempt, stage: Stage): KubeError {
  const { code = "", message = "" } = error as NodeJS.ErrnoException;
  const server = connection.server;
  const url = new URL(server);
  const what = `${attempt.method} ${attempt.path.split("?")[0]}`;
  if (attempt.signal.aborted) {
    return attempt.signal.reason === deadlineReason
      ? new KubeError("KUBE_TIMEOUT", `${server} was too slow for ${what}: ${stageText[stage]} in time.`, {
          remedy: "Check the address, firewalls and the load of the server.",
        })
      : new KubeError("KUBE_CANCELLED", `${what} on ${server} was cancelled.`);
  }
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_NODATA":
      return new KubeError("KUBE_UNREACHABLE_DNS", `The name ${url.hostname} cannot be resolved (${code}).`, {
        remedy: "Check the spelling, the resolver of this machine, and whether a VPN is needed.",
      });
    case "ECONNREFUSED":
      return new KubeError("KUBE_REFUSED", `${server} refused the connection: nothing listens there.`, {
        remedy: "Check host and port, and that the API server runs.",
      });
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EADDRNOTAVAIL":
      return new KubeError("KUBE_UNREACHABLE", `There is no route to ${server} (${code}).`, {
        remedy: "Check the address, and whether a VPN is needed.",
      });
    case "ETIMEDOUT":
      return new KubeError("KUBE_TIMEOUT", `${server} did not answer: ${stageText[stage]} in time.`, {
        remedy: "Check the address and firewalls.",
      });
    case "ERR_TLS_CERT_ALTNAME_INVALID": {
      const asked = connection.tlsServerName ?? url.hostname;
      return new KubeError(
        "KUBE_TLS_NAME",
        `The certificate of ${server} is not for "${asked}"; ${certifiedNames(error)}.`,
        {
          remedy: isIP(asked)
            ? "Use a name that the certificate carries, or set tls-server-name."
            : "Use a host that the certificate carries, have the server's certificate made for this name, or set tls-server-name.",
        },
      );
    }
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return new KubeError(
        "KUBE_TLS_EXPIRED",
        `A certificate in the chain of ${server} ${code === "CERT_HAS_EXPIRED" ? "has expired" : "is not valid yet"}.`,
        { remedy: "Renew the server's certificate, or its CA; check the clocks." },
      );
  }
  if (untrusted.has(code)) {
    return new KubeError(
      "KUBE_TLS_UNTRUSTED",
      `The certificate of ${server} is not signed by ${connection.caPem ? "the CA given" : "a public CA"} (${code}).`,
      {
        remedy:
          "Give the CA that signed this server's certificate. Behind a proxy or Rancher that is not the cluster's own CA.",
      },
    );
  }
  if (/^ERR_SSL_|^ERR_OSSL_|^EPROTO$/.test(code)) {
    return new KubeError("KUBE_TLS_PROTOCOL", `TLS with ${server} failed (${sslReason(code, message)}).`, {
      remedy: "Expected an https server with TLS 1.2 or newer, and a client certificate and key that belong together.",
    });
  }
  if (code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED" || message === "aborted") {
    return new KubeError("KUBE_RESET", `${server} closed the connection during ${what}: ${stageText[stage]}.`, {
      remedy: "Try again; if it stays, look at the server and at proxies on the way.",
    });
  }
  return new KubeError("KUBE_UNREACHABLE", `${what} on ${server} failed (${code || "unknown"}): ${message}.`, {
    remedy: "Check the address and the network, proxies included.",
  });
}

function sslReason(code: string, message: string): string {
  return /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? code;
}

function certifiedNames(error: unknown): string {
  const { subjectaltname } = (error as { cert?: { subjectaltname?: string } }).cert ?? {};
  return subjectaltname ? `it is for ${subjectaltname}` : "it carries no names";
}

function isConnected(socket: TLSSocket): boolean {
  return !socket.connecting && socket.getProtocol() !== null;
}
