/** Calls a service as the workload that it runs in, with the workload's projected ServiceAccount token. */
import { readFile } from "node:fs/promises";
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs, retryAfterMs } from "./backoff.ts";
import { ClientError } from "./errors.ts";
import { TokenFile } from "./tokenFile.ts";

export interface ServiceClientOptions {
  /** Absolute http or https URL that calls go to. */
  readonly url: string;
  /** File with the token; read again as it rotates. */
  readonly tokenFile: string;
  /** PEM file of the CA that the service's certificate is of. @default the public CAs */
  readonly caFile?: string;
  /** Time for one attempt, in milliseconds. @default 5000 */
  readonly timeoutMs?: number;
  /** Most attempts that a call makes. @default 4 */
  readonly attempts?: number;
  /** Longest pause before the second attempt, in milliseconds; doubles with each. @default 200 */
  readonly firstPauseMs?: number;
  /** Longest pause between attempts, in milliseconds, also where the service asks for more. @default 10000 */
  readonly maxPauseMs?: number;
  /** Most bytes of a body that are kept; the rest is read and thrown away. @default 65536 */
  readonly maxBodyBytes?: number;
  /** Milliseconds since 1970, for dates that the service names. @default Date.now */
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
  /** How many attempts it took. */
  readonly attempts: number;
}

/** Calls one service over connections that stay open. `close` when done. */
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
   * Calls the service. Statuses of 500 and above, 429 and lost connections are tried again where the method may be repeated
   * (RFC 9110 §9.2.2), with growing pauses or as Retry-After asks; 401 once more if the token file holds another token by now.
   *
   * @returns the last answer, whatever its status
   * @throws ClientError CLIENT_TOKEN_FILE, CLIENT_CA_FILE, CLIENT_TIMEOUT, CLIENT_UNREACHABLE, CLIENT_ABORTED
   */
  async call(call: CallOptions = {}): Promise<CallAnswer> {
    const { attempts = 4, maxPauseMs = 10_000, now = Date.now } = this.#options;
    const repeatable = /^(GET|HEAD|OPTIONS|PUT|DELETE)$/.test(call.method ?? "GET");
    let tokenRead = false;
    for (let attempt = 1; ; attempt++) {
      let pauseMs: number;
      try {
        const answer = await this.#attempt(call, attempt);
        if (answer.status === 401 && !tokenRead) {
          tokenRead = true;
          if (await this.#token.reread()) continue;
        }
        const later = answer.status === 429 || answer.status === 503 || (answer.status >= 500 && repeatable);
        if (!later || attempt >= attempts) return answer;
        pauseMs = retryAfterMs(answer.headers["retry-after"] ?? null, now(), maxPauseMs);
      } catch (error) {
        const again = error instanceof ClientError && /^CLIENT_(TIMEOUT|UNREACHABLE)$/.test(error.code) && repeatable;
        if (!again || attempt >= attempts) throw error;
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
      if (deadline.aborted) throw new ClientError("CLIENT_TIMEOUT", `${host} did not answer within ${timeoutMs} ms.`);
      this.#forget(agent);
      const { code = "unknown" } = error as NodeJS.ErrnoException;
      throw new ClientError("CLIENT_UNREACHABLE", `${host} cannot be reached (${code}).`);
    }
  }

  /** The service may have a certificate of another CA by now: the next connection reads the file again. */
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
    this.#agent ??= new HttpsAgent({ keepAlive: true, ca, minVersion: "TLSv1.2" });
    return this.#agent;
  }
}

async function readCa(path: string): Promise<string> {
  try {
    const pem = await readFile(path, "utf8");
    if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  } catch {
    // Said below.
  }
  throw new ClientError("CLIENT_CA_FILE", `${path} cannot be read, or holds no PEM certificate.`);
}

function aborted(): ClientError {
  return new ClientError("CLIENT_ABORTED", "The call was cancelled.");
}
