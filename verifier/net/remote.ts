/** Requests to servers that we know: pinned CA, own token, limits on time and size. No redirects. */
import { X509Certificate } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { Clock } from "../clock.ts";
import type { Endpoint, HttpProxy } from "../config/config.ts";
import { VerifierError } from "../errors.ts";
import { FileSource, tokenOf } from "./fileSource.ts";

export interface RemoteRequest {
  readonly method: "GET" | "POST";
  /** Absolute https URL. */
  readonly url: string;
  /** Sent as JSON. */
  readonly body?: string;
  readonly timeoutMs: number;
  /** Most bytes of an answer that are read. */
  readonly maxBytes: number;
  /** Whether the endpoint's token goes along. @default true */
  readonly authenticated?: boolean;
}

export interface RemoteAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** One server, or several that are trusted by the same CA. */
export interface Remote {
  /** @throws VerifierError NET_…, FILE_UNREADABLE, CA_INVALID, TOKEN_FILE_INVALID */
  send(request: RemoteRequest): Promise<RemoteAnswer>;
  /** The token is read again before the next request. */
  expireToken(): void;
  close(): void;
}

const connectTimeoutMs = 1_000;

export class HttpsRemote implements Remote {
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

  async send(wanted: RemoteRequest): Promise<RemoteAnswer> {
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
      // A connection that the server closed while it was idle: another one will do, and no request here changes anything.
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
      minVersion: "TLSv1.2",
      ...(this.#proxy && { proxyEnv: { HTTPS_PROXY: this.#proxy.url, NO_PROXY: this.#proxy.except } }),
    });
    this.#agentCa = ca;
    return this.#agent;
  }
}

/** @throws VerifierError CA_INVALID */
export function checkCa(pem: string, path: string): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
    if (blocks.length > 0) return;
  } catch {
    // Said below.
  }
  throw new VerifierError("CA_INVALID", `${path} holds no CA certificates: expected PEM.`);
}

class StaleConnection extends Error {}

function exchange(
  agent: Agent,
  wanted: RemoteRequest,
  headers: Record<string, string | number>,
): Promise<RemoteAnswer> {
  const where = `${wanted.method} ${wanted.url}`;
  return new Promise((resolve, reject) => {
    const outgoing = request(wanted.url, { method: wanted.method, agent, headers, maxHeaderSize: 16_384 });
    const stop = (error: Error) => {
      reject(error);
      outgoing.destroy();
    };
    const slow = (limitMs: number) => () =>
      stop(new VerifierError("NET_TIMEOUT", `${where} was not answered within ${limitMs} ms.`));
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
    throw new VerifierError("NET_TOO_LARGE", `The answer to ${where} has more than ${maxBytes} bytes.`);
  return Buffer.concat(chunks).toString("utf8");
}

function networkError(
  { code = "unknown", message }: Pick<NodeJS.ErrnoException, "code"> & { readonly message?: string },
  where: string,
): VerifierError {
  if (/CERT|^ERR_TLS|^ERR_SSL|SELF_SIGNED|UNABLE_TO|^EPROTO$/.test(code)) {
    return new VerifierError(
      "NET_TLS",
      `${where}: TLS failed (${code}): check the CA file and the name of the server.`,
    );
  }
  if (code.startsWith("ERR_PROXY_")) {
    return new VerifierError(
      "NET_PROXY",
      `${where}: the proxy opened no tunnel (${code}): check httpsProxy, noProxy and what the proxy allows.`,
    );
  }
  if (code.startsWith("HPE_")) {
    return new VerifierError(
      "NET_PROTOCOL",
      `${where}: the answer is not HTTP (${code}): check the address and proxies.`,
    );
  }
  return new VerifierError("NET_UNREACHABLE", `${where} failed (${code === "unknown" ? message : code}).`);
}
