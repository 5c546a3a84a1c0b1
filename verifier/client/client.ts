/** Calls a service with the projected ServiceAccount token of the workload. */
import { readFile } from "node:fs/promises";
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { closeIdleConnections } from "../net/idleConnections.ts";
import { ClientError } from "./errors.ts";
import { TokenFile } from "./tokenFile.ts";

export interface ServiceClientOptions {
  /** Absolute http or https URL that calls go to. */
  readonly url: string;
  /** File with the token, read again when it changes. */
  readonly tokenFile: string;
  /** PEM file with the CA of the service's certificate. @default the public CAs */
  readonly caFile?: string;
  /** Time for one attempt, in milliseconds. @default 5000 */
  readonly timeoutMs?: number;
  /** Limit of attempts for a call, without the one after a 401. @default 4 */
  readonly attempts?: number;
  /** Longest backoff before the second attempt, in milliseconds. It doubles with each further attempt. @default 200 */
  readonly firstPauseMs?: number;
  /** Limit of the backoff, and of the pause by Retry-After, in milliseconds. A pause is the sum of both. @default 10000 */
  readonly maxPauseMs?: number;
  /** Limit of the returned body, in bytes. The rest is discarded. @default 65536 */
  readonly maxBodyBytes?: number;
  /** Milliseconds since 1970, for dates in Retry-After. @default Date.now */
  readonly now?: () => number;
  /** Milliseconds of a monotonic clock, for the age of the token. @default performance.now */
  readonly monotonic?: () => number;
  /** @default Math.random */
  readonly random?: () => number;
}

export interface CallOptions {
  /** @default "GET" */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface CallAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Number of attempts, this answer included. */
  readonly attempts: number;
}

/** Calls one service. Connections stay open until `close`. */
export class ServiceClient implements Disposable {
  readonly #options: ServiceClientOptions;
  readonly #url: URL;
  readonly #token: TokenFile;
  #agent: HttpAgent | HttpsAgent | undefined;

  /** @throws ClientError CLIENT_CONFIG */
  constructor(options: ServiceClientOptions) {
    const url = URL.parse(options.url);
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) {
      throw new ClientError("CLIENT_CONFIG", "url: expected an http or https URL without a user.");
    }
    this.#options = options;
    this.#url = url;
    this.#token = new TokenFile(options.tokenFile, { monotonic: options.monotonic });
  }

  /**
   * Calls the service. Retries 429 and 503, and for idempotent methods (RFC 9110, section 9.2.2) also other statuses of 500 and above
   * and lost connections, with growing pauses or after Retry-After. Retries 401 once if the token file has changed.
   *
   * @returns the last answer, whatever its status
   * @throws ClientError CLIENT_TOKEN_FILE, CLIENT_CA_FILE, CLIENT_TIMEOUT, CLIENT_UNREACHABLE, CLIENT_ABORTED
   */
  async call(call: CallOptions = {}): Promise<CallAnswer> {
    const { attempts = 4, maxPauseMs = 10_000, now = Date.now } = this.#options;
    const repeatable = /^(GET|HEAD|OPTIONS|PUT|DELETE)$/.test(call.method ?? "GET");
    let wasTokenReread = false;
    for (let attempt = 1; ; attempt++) {
      let pauseMs: number;
      try {
        const answer = await this.#attempt(call, attempt);
        if (answer.status === 401 && !wasTokenReread) {
          wasTokenReread = true;
          if (await this.#token.reread()) continue;
        }
        const isRetried = answer.status === 429 || answer.status === 503 || (answer.status >= 500 && repeatable);
        if (!isRetried || attempt >= attempts) return answer;
        pauseMs = retryAfterMs(answer.headers["retry-after"] ?? null, now(), maxPauseMs);
      } catch (error) {
        const isRetried =
          error instanceof ClientError && /^CLIENT_(TIMEOUT|UNREACHABLE)$/.test(error.code) && repeatable;
        if (!isRetried || attempt >= attempts) throw error;
        pauseMs = 0;
      }
      await this.#pause(pauseMs, attempt, call.signal);
    }
  }

  close(): void {
    this.#agent?.destroy();
    this.#agent = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #pause(askedMs: number, attempt: number, signal: AbortSignal | undefined): Promise<void> {
    const { firstPauseMs = 200, maxPauseMs = 10_000, random = Math.random } = this.#options;
    const ms = askedMs + backoffMs(attempt, firstPauseMs, maxPauseMs, random());
    await sleep(ms, undefined, { signal }).catch(() => {
      throw aborted();
    });
  }

  async #attempt(call: CallOptions, attempt: number): Promise<CallAnswer> {
    const { timeoutMs = 5_000, maxBodyBytes = 65_536 } = this.#options;
    const token = await this.#token.get();
    const agent = await this.#connections();
    const headers: Record<string, string | number> = { ...call.headers, Authorization: `Bearer ${token}` };
    if (call.body !== undefined) headers["Content-Length"] = Buffer.byteLength(call.body);
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = call.signal ? AbortSignal.any([deadline, call.signal]) : deadline;
    const send = this.#url.protocol === "https:" ? httpsRequest : httpRequest;
    try {
      return await new Promise<CallAnswer>((resolve, reject) => {
        const outgoing = send(this.#url, { method: call.method ?? "GET", agent, headers, signal });
        outgoing.once("error", reject);
        outgoing.once("response", (incoming) => {
          const chunks: Buffer[] = [];
          let size = 0;
          incoming.on("data", (chunk: Buffer) => {
            if (size < maxBodyBytes) chunks.push(chunk.subarray(0, maxBodyBytes - size));
            size += chunk.length;
          });
          incoming.once("error", reject);
          incoming.once("end", () => {
            const body = Buffer.concat(chunks).toString("utf8");
            resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body, attempts: attempt });
          });
        });
        outgoing.end(call.body);
      });
    } catch (error) {
      if (call.signal?.aborted) throw aborted();
      const { host } = this.#url;
      if (deadline.aborted) {
        closeIdleConnections(agent);
        throw new ClientError("CLIENT_TIMEOUT", `${host} did not answer within ${timeoutMs} ms.`);
      }
      this.#forget(agent);
      const { code = "unknown" } = error as NodeJS.ErrnoException;
      throw new ClientError("CLIENT_UNREACHABLE", `${host} cannot be reached (${code}).`);
    }
  }

  /** Drops the connections, so that the CA file is read again for the next one. The service can have a certificate of a new CA. */
  #forget(agent: HttpAgent | HttpsAgent): void {
    if (this.#options.caFile === undefined || this.#agent !== agent) return;
    this.#agent = undefined;
    if (Object.keys(agent.sockets).length === 0) agent.destroy();
  }

  async #connections(): Promise<HttpAgent | HttpsAgent> {
    if (this.#agent) return this.#agent;
    if (this.#url.protocol === "http:") {
      this.#agent = new HttpAgent({ keepAlive: true });
      return this.#agent;
    }
    const { caFile } = this.#options;
    const ca = caFile === undefined ? undefined : await readCa(caFile);
    this.#agent ??= new HttpsAgent({
      keepAlive: true,
      ca,
      // Whatever NODE_TLS_REJECT_UNAUTHORIZED says, which would send the token to any server.
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
    });
    return this.#agent;
  }
}

async function readCa(path: string): Promise<string> {
  try {
    const pem = await readFile(path, "utf8");
    if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  } catch {
    // The error below states it.
  }
  throw new ClientError("CLIENT_CA_FILE", `${path} cannot be read, or holds no PEM certificate.`);
}

function aborted(): ClientError {
  return new ClientError("CLIENT_ABORTED", "The call was cancelled.");
}

/**
 * Backoff after a failed attempt, in milliseconds: exponential with full jitter, so that many clients do not retry together.
 *
 * @param attempt number of failed attempts, from 1
 * @param random 0 to 1
 */
export function backoffMs(attempt: number, firstMs: number, maxMs: number, random: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 30)) * random;
}

/**
 * Pause that a Retry-After header requests (RFC 9110, section 10.2.3: seconds or a date), in milliseconds: at most `maxMs`, and 0 without a
 * valid header.
 */
export function retryAfterMs(value: string | null, nowMs: number, maxMs: number): number {
  if (value === null) return 0;
  const text = value.trim();
  const date = /^\D.* GMT$/.test(text) ? Date.parse(text) : Number.NaN;
  const asked = /^\d+$/.test(text) ? Number(text) * 1000 : date - nowMs;
  return Number.isFinite(asked) ? Math.min(maxMs, Math.max(0, asked)) : 0;
}
