import { Agent, request } from "node:https";
import { isProviderError, ProviderError } from "../errors.ts";

/** Where a REST API of Akeyless is: the service itself, or a gateway of one's own. */
export interface AkeylessEndpoint {
  /** Base URL of the REST API v2, https, without a slash at the end. */
  readonly url: string;
  /** CA certificates of that server, PEM; "" or undefined for the public ones. */
  readonly caPem?: string;
}

/** What came back, whatever its status. */
export interface RawAnswer {
  readonly status: number;
  /** Without parameters; "no content type" where there is none. */
  readonly contentType: string;
  readonly retryAfterMs: number | undefined;
  readonly text: string;
}

/** The reason that a deadline aborts with. */
export const deadlineReason = Symbol("deadline");

let shared: Agent | undefined;

/** Node.js keeps connections of different servers and CAs apart. Proxies come from the environment, the same for all. */
function agent(env: NodeJS.ProcessEnv): Agent {
  const { HTTPS_PROXY, https_proxy, NO_PROXY, no_proxy } = env;
  const proxyEnv = HTTPS_PROXY || https_proxy ? { HTTPS_PROXY, https_proxy, NO_PROXY, no_proxy } : undefined;
  shared ??= new Agent({ keepAlive: true, maxSockets: 3, proxyEnv });
  return shared;
}

/**
 * Posts JSON and reads the whole answer.
 *
 * @throws ProviderError AKEYLESS_UNREACHABLE, AKEYLESS_RESET, AKEYLESS_TIMEOUT, AKEYLESS_TLS, CANCELLED
 */
export function post(
  endpoint: AkeylessEndpoint,
  path: string,
  body: object,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<RawAnswer> {
  const url = new URL(endpoint.url + path);
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => reject(networkError(error, endpoint, path, signal));
    let outgoing: ReturnType<typeof request>;
    try {
      outgoing = request(url, {
        method: "POST",
        agent: agent(env),
        ca: endpoint.caPem || undefined,
        minVersion: "TLSv1.2",
        headers: {
          Accept: "application/json",
          "Content-Type": "application/json",
          "Content-Length": Buffer.byteLength(text),
          "User-Agent": "k8sauth",
        },
      });
    } catch (error) {
      fail(error);
      return;
    }
    const abort = () => {
      // A request that still waits for a free connection says nothing when it is destroyed.
      fail(new Error("aborted"));
      outgoing.destroy();
    };
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    outgoing.once("close", () => signal.removeEventListener("abort", abort));
    outgoing.on("error", fail);
    outgoing.once("response", (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", fail);
      incoming.once("end", () => {
        const seconds = Number(incoming.headers["retry-after"]);
        resolve({
          status: incoming.statusCode ?? 0,
          contentType: incoming.headers["content-type"]?.split(";")[0] || "no content type",
          retryAfterMs: seconds > 0 ? seconds * 1000 : undefined,
          text: Buffer.concat(chunks).toString("utf8"),
        });
      });
    });
    outgoing.end(text);
  });
}

/** Whether an error is of the way to the server, and not an answer of it. */
export function isUnanswered(error: unknown): boolean {
  return isProviderError(error, "AKEYLESS_UNREACHABLE", "AKEYLESS_RESET", "AKEYLESS_TIMEOUT");
}

function networkError(error: unknown, { url, caPem }: AkeylessEndpoint, path: string, signal: AbortSignal) {
  const { code = "", message = "" } = error as NodeJS.ErrnoException;
  const { hostname } = new URL(url);
  if (signal.aborted) {
    return signal.reason === deadlineReason
      ? new ProviderError("AKEYLESS_TIMEOUT", `${url} did not answer ${path} in time.`, "Check address and firewalls.")
      : new ProviderError("CANCELLED", `${path} on ${url} was cancelled.`);
  }
  if (code === "ENOTFOUND" || code.startsWith("EAI_")) {
    return new ProviderError(
      "AKEYLESS_UNREACHABLE",
      `The name ${hostname} cannot be resolved (${code}).`,
      "Check the spelling, the resolver of this machine, and whether a VPN is needed.",
    );
  }
  if (code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED" || message === "aborted") {
    return new ProviderError(
      "AKEYLESS_RESET",
      `${url} closed the connection during ${path}.`,
      "Run up again; if it stays, look at the server and at proxies on the way.",
    );
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const { subjectaltname } = (error as { cert?: { subjectaltname?: string } }).cert ?? {};
    return new ProviderError(
      "AKEYLESS_TLS",
      `The certificate of ${url} is not for "${hostname}"; it is for ${subjectaltname || "no name"}.`,
      "Use a name that the certificate carries.",
    );
  }
  if (/CERT|SIGNATURE|INVALID_CA|ISSUER|UNABLE_TO/.test(code)) {
    return new ProviderError(
      "AKEYLESS_TLS",
      `The certificate of ${url} is not trusted (${code}): it is not signed by ${caPem ? "the CA given" : "a public CA"}, or not valid now.`,
      "Give the CA certificates that signed it (caPem), and check the clocks.",
    );
  }
  if (/^ERR_SSL_|^ERR_OSSL_|^EPROTO$/.test(code)) {
    return new ProviderError(
      "AKEYLESS_TLS",
      `TLS with ${url} failed (${code}).`,
      "Expected an https server with TLS 1.2 or newer; the gateway's port 8000 speaks https only where TLS is set up.",
    );
  }
  return new ProviderError(
    "AKEYLESS_UNREACHABLE",
    `${url} cannot be reached (${code || "unknown"}).`,
    "Check host and port, that the gateway runs, and whether a VPN or proxy is needed.",
  );
}
