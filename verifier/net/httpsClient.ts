/** Sends HTTPS requests to API servers and issuers: with their CA, the verifier's token, and limits on time and size. Follows no redirects. */
import { X509Certificate } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { Clock } from "../clock.ts";
import type { Endpoint, HttpProxy } from "../config/config.ts";
import { VerifierError } from "../errors.ts";
import { FileSource, tokenOf } from "./fileSource.ts";
import { closeIdleConnections } from "./idleConnections.ts";

export interface HttpsRequest {
  readonly method: "GET" | "POST";
  /** Absolute https URL. */
  readonly url: string;
  /** Sent as JSON. */
  readonly body?: string;
  readonly timeoutMs: number;
  /** Largest accepted body, in bytes. */
  readonly maxBytes: number;
  /** Whether the request carries the endpoint's token. @default true */
  readonly authenticated?: boolean;
}

export interface HttpsAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const connectTimeoutMs = 1_000;

/** Sends requests to servers with certificates of one CA. Idle connections stay open. */
export class HttpsClient {
  readonly #ca: FileSource | undefined;
  readonly #token: FileSource | undefined;
  readonly #proxy: HttpProxy | undefined;
  #agent: Agent | undefined;
  #agentCa = "";

  constructor({ caFile, tokenFile, proxy }: Endpoint, clock: Clock) {
    this.#ca = caFile === undefined ? undefined : new FileSource(caFile, clock, checkCa, 60_000);
    this.#token = tokenFile === undefined ? undefined : new FileSource(tokenFile, clock, tokenOf);
    this.#proxy = proxy;
  }

  /** @throws VerifierError NET_…, FILE_UNREADABLE, CA_INVALID, TOKEN_FILE_INVALID */
  async send(wanted: HttpsRequest): Promise<HttpsAnswer> {
    const agent = await this.#currentAgent();
    const headers: Record<string, string | number> = {
      Accept: "application/json, */*",
      "User-Agent": "k8sauth-verifier",
    };
    if (this.#token && wanted.authenticated !== false) {
      headers.Authorization = `Bearer ${tokenOf(await this.#token.get(), this.#token.path)}`;
    }
    if (wanted.body !== undefined) {
      headers["Content-Type"] = "application/json";
      headers["Content-Length"] = Buffer.byteLength(wanted.body);
    }
    try {
      return await exchange(agent, wanted, headers);
    } catch (error) {
      // The server closed the idle connection. The verifier's requests change nothing, so they can be repeated.
      if (!(error instanceof StaleConnection)) throw error;
    }
    try {
      return await exchange(agent, wanted, headers);
    } catch (error) {
      if (error instanceof StaleConnection)
        throw networkError({ code: "ECONNRESET" }, `${wanted.method} ${wanted.url}`);
      throw error;
    }
  }

  /** Reads the token file again before the next request. */
  expireToken(): void {
    this.#token?.expire();
  }

  close(): void {
    this.#agent?.destroy();
  }

  async #currentAgent(): Promise<Agent> {
    const ca = this.#ca ? await this.#ca.get() : "";
    if (this.#agent && ca === this.#agentCa) return this.#agent;
    this.#agent?.destroy();
    this.#agent = new Agent({
      keepAlive: true,
      maxFreeSockets: 8,
      scheduling: "lifo",
      ca: ca || undefined,
      // Whatever NODE_TLS_REJECT_UNAUTHORIZED says, which would accept keys and reviews of any server.
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      ...(this.#proxy && { proxyEnv: { HTTPS_PROXY: this.#proxy.url, NO_PROXY: this.#proxy.except } }),
    });
    this.#agentCa = ca;
    return this.#agent;
  }
}

/**
 * Checks that a text contains at least one PEM certificate, and that each can be parsed.
 *
 * @throws VerifierError CA_INVALID
 */
export function checkCa(pem: string, path: string): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
    if (blocks.length > 0) return;
  } catch {
    // The error below states it.
  }
  throw new VerifierError("CA_INVALID", `${path} holds no CA certificate: expected PEM.`);
}

/** The server closed an idle connection, which the client reused at the same time. */
class StaleConnection extends Error {}

function exchange(agent: Agent, wanted: HttpsRequest, headers: Record<string, string | number>): Promise<HttpsAnswer> {
  const where = `${wanted.method} ${wanted.url}`;
  return new Promise((resolve, reject) => {
    const outgoing = request(wanted.url, { method: wanted.method, agent, headers, maxHeaderSize: 16_384 });
    const stop = (error: Error) => {
      reject(error);
      outgoing.destroy();
    };
    const slow = (limitMs: number) => () => {
      if (outgoing.reusedSocket) closeIdleConnections(agent);
      stop(new VerifierError("NET_TIMEOUT", `${where} was not answered within ${limitMs} ms.`));
    };
    const timer = setTimeout(slow(wanted.timeoutMs), wanted.timeoutMs);
    let connecting: NodeJS.Timeout | undefined;
    const clear = () => {
      clearTimeout(timer);
      clearTimeout(connecting);
    };
    outgoing.once("socket", (socket) => {
      if (!socket.connecting) return;
      const limitMs = Math.min(connectTimeoutMs, wanted.timeoutMs);
      connecting = setTimeout(slow(limitMs), limitMs);
      socket.once("connect", () => clearTimeout(connecting));
    });
    outgoing.once("error", (error: NodeJS.ErrnoException) => {
      clear();
      const isStale = outgoing.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      reject(isStale ? new StaleConnection() : networkError(error, where));
    });
    outgoing.once("response", (incoming) => {
      read(incoming, wanted.maxBytes, where).then(
        (text) => {
          clear();
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text });
        },
        (error) => {
          clear();
          stop(error);
        },
      );
    });
    outgoing.end(wanted.body);
  });
}

async function read(incoming: IncomingMessage, maxBytes: number, where: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw networkError(error as NodeJS.ErrnoException, where);
  }
  if (size > maxBytes)
    throw new VerifierError("NET_TOO_LARGE", `The answer to ${where} is larger than ${maxBytes} bytes.`);
  return Buffer.concat(chunks).toString("utf8");
}

function networkError(
  { code = "unknown", message }: Pick<NodeJS.ErrnoException, "code"> & { readonly message?: string },
  where: string,
): VerifierError {
  if (/CERT|^ERR_TLS|^ERR_SSL|SELF_SIGNED|UNABLE_TO|^EPROTO$/.test(code)) {
    return new VerifierError(
      "NET_TLS",
      `${where}: TLS failed (${code}). Check the CA file and the name of the server.`,
    );
  }
  if (code.startsWith("ERR_PROXY_")) {
    return new VerifierError(
      "NET_PROXY",
      `${where}: the proxy opened no tunnel (${code}). Check httpsProxy, noProxy and the rules of the proxy.`,
    );
  }
  if (code.startsWith("HPE_")) {
    return new VerifierError("NET_PROTOCOL", `${where}: the answer is not HTTP (${code}). Check the URL and proxies.`);
  }
  return new VerifierError("NET_UNREACHABLE", `${where} failed (${code === "unknown" ? message : code}).`);
}
