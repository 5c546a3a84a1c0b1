import type { Agent } from "node:https";
import { pause } from "./backoff.ts";
import type { Connection, Credentials } from "./connection.ts";
import { Deadline, deadlineReason } from "./deadline.ts";
import { isKubeError, KubeError } from "./errors.ts";
import { type DirectConnection, directConnection } from "./kubeconfig/loadConnection.ts";
import { notJson, redirected, statusError } from "./status.ts";
import { type HttpResponse, retryAfterMs } from "./transport/https.ts";
import { agentFor, send } from "./transport/transport.ts";

/** Options of a client. */
export interface ClientOptions {
  /** Timeout of a request with all its retries, in milliseconds. The time of an exec plugin does not count. @default 15000 */
  readonly timeoutMs?: number;
  /** First pause before a retry, in milliseconds; doubles with each, up to 2 s, with jitter. @default 100 */
  readonly retryMs?: number;
  /** Maximum number of attempts of one request. @default 6 */
  readonly attempts?: number;
  /** Connections that are shared with other clients. Their creator closes them. @default separate connections */
  readonly agent?: Agent;
  /** Cancels every request of this client. */
  readonly signal?: AbortSignal;
}

/** Options of one request. */
export interface RequestOptions {
  /** Undefined values are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** @default "application/json" */
  readonly contentType?: string;
  /** @default the client's */
  readonly timeoutMs?: number;
  /** Cancels the request, in addition to the client's signal. */
  readonly signal?: AbortSignal;
  /** Whether 429, 5xx and resets are retried if that is safe. @default true */
  readonly retry?: boolean;
  /** Whether the request changes nothing, such as a review, so that a retry is safe. @default true for GET */
  readonly safe?: boolean;
}

/** A parsed answer, with its status and date. */
export interface ApiResponse<T> {
  readonly status: number;
  readonly body: T;
  /** Time of the server's clock, from the header Date. */
  readonly date: Date | undefined;
}

/** An object of the API, with the fields that every object has. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly [field: string]: unknown;
}

export interface ObjectMeta {
  readonly name?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface ApplyOptions extends RequestOptions {
  readonly fieldManager: string;
  /** Overwrites fields that another manager owns. @default false */
  readonly force?: boolean;
  /** The server checks and answers, but stores nothing. @default false */
  readonly dryRun?: boolean;
}

export interface CreateOptions extends RequestOptions {
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
}

export interface DeleteOptions extends RequestOptions {
  /** Deletes only the object with this UID. */
  readonly uid?: string;
  readonly propagationPolicy?: "Foreground" | "Background" | "Orphan";
  /** Returns undefined for an object that does not exist. @default false */
  readonly ignoreNotFound?: boolean;
}

/** A client of one API server for one user. Connections stay open until `close`. */
export class KubeClient implements Disposable {
  readonly connection: Connection;
  readonly #agent: Agent;
  readonly #options: ClientOptions;

  constructor(connection: Connection, options: ClientOptions = {}) {
    this.connection = connection;
    this.#agent = connection.proxyAgent ?? options.agent ?? agentFor(connection);
    this.#options = options;
  }

  /** A client for explicit credentials, without a kubeconfig. Proxy variables come from `env`. */
  static direct(direct: DirectConnection, options: ClientOptions = {}, env: NodeJS.ProcessEnv = {}): KubeClient {
    return new KubeClient(directConnection(direct, env), options);
  }

  /** The parsed JSON of a successful answer. @throws KubeError */
  async request<T = KubeObject>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    return (await this.exchange<T>(method, path, options)).body;
  }

  /** Like `request`, with status and server time. @throws KubeError */
  async exchange<T = KubeObject>(method: string, path: string, options: RequestOptions = {}): Promise<ApiResponse<T>> {
    using deadline = new Deadline(options.timeoutMs ?? this.#options.timeoutMs ?? 15_000);
    const answer = await this.#attempts(method, path + queryText(options.query), options, deadline);
    return { status: answer.status, body: this.#parse<T>(method, path, answer), date: serverDate(answer) };
  }

  get<T = KubeObject>(path: string, options?: RequestOptions): Promise<T> {
    return this.request<T>("GET", path, options);
  }

  /** The object; undefined if it does not exist. */
  async find<T = KubeObject>(path: string, options?: RequestOptions): Promise<T | undefined> {
    try {
      return await this.request<T>("GET", path, options);
    } catch (error) {
      if (isKubeError(error, "KUBE_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  /** POST to a collection's path. */
  create<T = KubeObject>(path: string, body: unknown, options: CreateOptions = {}): Promise<T> {
    const query = { fieldManager: options.fieldManager, dryRun: options.dryRun ? "All" : undefined, ...options.query };
    return this.request<T>("POST", path, { ...options, body, query });
  }

  /** PUT to an object's path. */
  replace<T = KubeObject>(path: string, body: unknown, options: CreateOptions = {}): Promise<T> {
    const query = { fieldManager: options.fieldManager, dryRun: options.dryRun ? "All" : undefined, ...options.query };
    return this.request<T>("PUT", path, { ...options, body, query });
  }

  /** Server-side apply to an object's path. */
  apply<T = KubeObject>(path: string, body: unknown, options: ApplyOptions): Promise<T> {
    const { fieldManager, force = false, dryRun } = options;
    const query = { fieldManager, force, dryRun: dryRun ? "All" : undefined, ...options.query };
    return this.request<T>("PATCH", path, { ...options, body, query, contentType: "application/apply-patch+yaml" });
  }

  /** DELETE of an object; the server's answer is the object or a Status. */
  async delete(path: string, options: DeleteOptions = {}): Promise<KubeObject | undefined> {
    const { uid, propagationPolicy, ignoreNotFound } = options;
    const body = { propagationPolicy, preconditions: uid === undefined ? undefined : { uid } };
    try {
      return await this.request("DELETE", path, { ...options, body });
    } catch (error) {
      if (ignoreNotFound && isKubeError(error, "KUBE_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  /** Closes the connections. Those of `options.agent` stay open for its other clients. */
  close(): void {
    if (this.#agent !== this.#options.agent) this.#agent.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #attempts(method: string, path: string, options: RequestOptions, deadline: Deadline): Promise<HttpResponse> {
    const callers = [options.signal, this.#options.signal].filter((signal) => signal !== undefined);
    const cancel = AbortSignal.any(callers);
    const signal = AbortSignal.any([deadline.signal, ...callers]);
    const credentialsOf = (refresh = false) =>
      deadline.suspended(() => this.connection.credentials.get(refresh, cancel));
    const limit = options.retry === false ? 1 : (this.#options.attempts ?? 6);
    const safe = options.safe ?? method === "GET";
    let refreshed = false;
    for (let attempt = 1; ; attempt++) {
      const credentials = await credentialsOf();
      let answer: HttpResponse;
      try {
        answer = await this.#send(method, path, options, credentials, signal);
      } catch (error) {
        const again = safe && attempt < limit && isKubeError(error, "KUBE_RESET");
        if (!again) throw error;
        await this.#pause(attempt, undefined, signal, error);
        continue;
      }
      if (answer.status < 300) return answer;
      if (answer.status < 400) throw redirected(method, path, answer, this.connection);
      if (answer.status === 401 && this.connection.credentials.refreshable && !refreshed) {
        refreshed = true;
        await credentialsOf(true);
        continue;
      }
      const error = statusError(method, path, answer, this.connection, credentials);
      if (attempt >= limit || !isRetriable(safe, answer.status)) throw error;
      await this.#pause(attempt, retryAfterMs(answer), signal, error);
    }
  }

  #send(
    method: string,
    path: string,
    options: RequestOptions,
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers: Record<string, string> =
      body === undefined ? {} : { "Content-Type": options.contentType ?? "application/json" };
    return send(this.connection, this.#agent, { method, path, headers, body, credentials, signal });
  }

  /** Waits before the next attempt. Throws the error of the last attempt if the timeout ends first. */
  async #pause(attempt: number, askedMs = 0, signal: AbortSignal, error: unknown): Promise<void> {
    const backoff = { firstMs: this.#options.retryMs ?? 100, maxMs: 2_000 };
    await pause(backoff, attempt, askedMs, signal).catch(() => {
      if (signal.reason === deadlineReason) throw error;
      throw new KubeError("KUBE_CANCELLED", `A request to ${this.connection.server} was cancelled.`);
    });
  }

  #parse<T>(method: string, path: string, answer: HttpResponse): T {
    if (answer.text === "" && answer.status !== 200) return undefined as T;
    try {
      const body: unknown = JSON.parse(answer.text);
      if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as T;
    } catch {
      // Reported below.
    }
    throw notJson(method, path, answer, this.connection);
  }
}

function queryText(query: RequestOptions["query"]): string {
  const entries = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return "";
  return `?${new URLSearchParams(entries.map(([key, value]): [string, string] => [key, String(value)]))}`;
}

/** 429 and 503 are answered before the request has any effect. After other server errors the effect is unknown. */
function isRetriable(safe: boolean, status: number): boolean {
  if (status === 429 || status === 503) return true;
  return safe && (status === 500 || status === 502 || status === 504);
}

function serverDate(answer: HttpResponse): Date | undefined {
  const date = new Date(String(answer.headers.date));
  return Number.isNaN(date.getTime()) ? undefined : date;
}
