import type { Agent } from "node:https";
import { isIP } from "node:net";
import type { Connection, Credentials } from "../connection.ts";
import { deadlineReason } from "../deadline.ts";
import { KubeError } from "../errors.ts";
import { environmentAgent, exchange, type HttpResponse, HttpsFailure, type HttpsRequest, type Stage } from "./https.ts";
import { ProxyAgent, proxyText } from "./proxyAgent.ts";
import { environmentProxy } from "./proxyRules.ts";
import { StrictTlsError } from "./serverIdentity.ts";

/** One attempt of an HTTP request. */
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

/** Connections of one client, through the proxy of its kubeconfig or its environment. They stay open until `destroy`. */
export function agentFor({ proxyAgent, env }: Connection): Agent {
  return proxyAgent ?? environmentAgent(env);
}

/**
 * Sends one request and reads the whole answer of any status.
 *
 * @throws KubeError if there is no complete answer
 */
export async function send(connection: Connection, agent: Agent, attempt: Attempt): Promise<HttpResponse> {
  const { authorization, certPem, keyPem } = attempt.credentials;
  try {
    return await exchange({
      url: new URL(connection.server + attempt.path),
      method: attempt.method,
      headers: {
        // Key sets have a different media type, and the server checks the Accept header.
        Accept: "application/json, */*",
        ...connection.impersonation,
        ...attempt.headers,
        ...(authorization === undefined ? {} : { Authorization: authorization }),
      } as HttpsRequest["headers"],
      body: attempt.body,
      agent,
      signal: attempt.signal,
      caPem: connection.caPem,
      certPem,
      keyPem,
      serverName: connection.tlsServerName,
    });
  } catch (error) {
    if (error instanceof HttpsFailure) throw networkError(error.cause, connection, attempt, error.stage);
    throw error;
  }
}

const stageText: Readonly<Record<Stage, string>> = {
  connecting: "no connection was opened",
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
]);

/** Certificates that chain to the CA but must not be used. OpenSSL has no specific codes for weak signatures and name constraints. */
const invalid = new Set(["INVALID_CA", "INVALID_PURPOSE", "PATH_LENGTH_EXCEEDED", "UNSPECIFIED"]);

/** Converts an error of Node.js into a KubeError. */
export function networkError(error: unknown, connection: Connection, attempt: Attempt, stage: Stage): KubeError {
  const { code = "", message = "" } = error as NodeJS.ErrnoException;
  const server = connection.server;
  const url = new URL(server);
  const proxy = proxyOf(connection, url);
  const what = `${attempt.method} ${attempt.path.split("?")[0]}`;
  if (attempt.signal.aborted) {
    if (attempt.signal.reason === deadlineReason && proxy !== undefined && stage === "connecting") {
      return new KubeError(
        "KUBE_PROXY_UNREACHABLE",
        `The proxy ${proxyText(proxy)} opened no connection to ${server} in time for ${what}.`,
        { remedy: "Check that the proxy runs and can reach the server." },
      );
    }
    return attempt.signal.reason === deadlineReason
      ? new KubeError("KUBE_TIMEOUT", `${server} was too slow for ${what}: ${stageText[stage]} in time.`, {
          remedy: "Check the address, firewalls and the load of the server.",
        })
      : new KubeError("KUBE_CANCELLED", `${what} on ${server} was cancelled.`);
  }
  if (error instanceof KubeError) return error;
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
            : "Use a host that the certificate carries, issue the server's certificate for this name, or set tls-server-name.",
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
  if (error instanceof StrictTlsError || invalid.has(code)) {
    const why = error instanceof StrictTlsError ? `${message}, which clients in Go refuse` : message;
    return new KubeError("KUBE_TLS_INVALID", `The certificate chain of ${server} is not valid: ${why}.`, {
      remedy: "Issue another certificate for the server, or for its CA.",
    });
  }
  if (untrusted.has(code)) {
    return new KubeError(
      "KUBE_TLS_UNTRUSTED",
      `The certificate of ${server} is not signed by ${connection.caPem ? "the given CA" : "a public CA"} (${code}).`,
      {
        remedy:
          "Set the CA that signed this server's certificate. With a proxy or Rancher before the cluster this is not the cluster's own CA.",
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
      remedy: "Try again. If the error stays, check the server and the proxies before it.",
    });
  }
  return new KubeError("KUBE_UNREACHABLE", `${what} on ${server} failed (${code || "unknown"}): ${message}.`, {
    remedy: "Check the address and the network, proxies included.",
  });
}

/** The proxy on the way to a server; undefined for a direct connection. */
export function proxyOf(
  { proxyAgent, env }: Pick<Connection, "proxyAgent" | "env">,
  { hostname, port }: URL,
): URL | undefined {
  const address = [hostname.replace(/^\[|\]$/g, ""), Number(port) || 443] as const;
  if (proxyAgent instanceof ProxyAgent) return proxyAgent.choose(...address);
  try {
    return environmentProxy(...address, env);
  } catch {
    return undefined;
  }
}

function sslReason(code: string, message: string): string {
  return /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? code;
}

function certifiedNames(error: unknown): string {
  const { subjectaltname } = (error as { cert?: { subjectaltname?: string } }).cert ?? {};
  return subjectaltname ? `it is for ${subjectaltname}` : "it carries no names";
}
