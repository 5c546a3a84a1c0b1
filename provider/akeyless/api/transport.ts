import type { Agent } from "node:https";
import { deadlineReason } from "../../../kubernetes/deadline.ts";
import { KubeError } from "../../../kubernetes/errors.ts";
import { environmentAgent, exchange, type HttpResponse, HttpsFailure } from "../../../kubernetes/transport/https.ts";
import { StrictTlsError } from "../../../kubernetes/transport/serverIdentity.ts";
import { isProviderError, ProviderError } from "../../protocol/errors.ts";

/** Address of a REST API of Akeyless: that of the service or of a gateway. */
export interface AkeylessEndpoint {
  /** Base URL of the REST API v2, https, without a trailing slash. */
  readonly url: string;
  /** CA certificates of that server, PEM; "" or undefined for public CAs. */
  readonly caPem?: string;
}

/** Connections by environment, whose proxies they use. Node.js separates connections to different servers and with different CAs. */
const agents = new WeakMap<NodeJS.ProcessEnv, Agent>();

/**
 * Posts JSON and reads the whole answer, whatever its status.
 *
 * @throws ProviderError AKEYLESS_UNREACHABLE, AKEYLESS_RESET, AKEYLESS_TIMEOUT, AKEYLESS_TLS, CANCELLED
 */
export async function post(
  endpoint: AkeylessEndpoint,
  path: string,
  body: object,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const agent = agents.get(env) ?? environmentAgent(env);
  agents.set(env, agent);
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  const url = new URL(endpoint.url + path);
  const { caPem } = endpoint;
  try {
    return await exchange({ url, method: "POST", headers, body: JSON.stringify(body), agent, signal, caPem });
  } catch (error) {
    throw error instanceof HttpsFailure ? networkError(error.cause, endpoint, path, signal) : error;
  }
}

/** Whether an error is a failed connection and not an answer of the server. */
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
  if (error instanceof KubeError) return new ProviderError("AKEYLESS_UNREACHABLE", error.message);
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
      "Run up again. If the error stays, check the server and the proxies on the way.",
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
      `The certificate of ${url} is not trusted (${code}): it is not signed by ${caPem ? "the given CA" : "a public CA"}, or not valid now.`,
      "Set caPem to the CA certificates that signed it, and check the clocks.",
    );
  }
  if (error instanceof StrictTlsError) {
    return new ProviderError(
      "AKEYLESS_TLS",
      `The certificate of ${url} is not valid: ${message}, which clients in Go refuse.`,
      "Issue another certificate for the server.",
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
