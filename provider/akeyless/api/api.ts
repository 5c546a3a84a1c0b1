/**
 * A small client of Akeyless's REST API v2. The official SDK makes the same calls, but loading it takes about a second and 60 MiB, and it
 * has no options for CAs, deadlines and retries.
 *
 * @see https://docs.akeyless.io/reference
 */
import { createHash } from "node:crypto";
import { pause } from "../../../kubernetes/backoff.ts";
import { deadlineReason } from "../../../kubernetes/deadline.ts";
import { type HttpResponse, retryAfterMs } from "../../../kubernetes/transport/https.ts";
import { isProviderError, ProviderError } from "../../protocol/errors.ts";
import type { Context } from "../../protocol/resource.ts";
import { credentialsOf, type Session } from "./credentials.ts";
import { notJson, secretValues, statusError, unexpectedShape } from "./responseErrors.ts";
import { type Shape, type Shaped, typeMismatch } from "./shape.ts";
import { type AkeylessEndpoint, post } from "./transport.ts";

/** The service's own API. It does not manage auth configs of gateways. */
export const publicApi = "https://api.akeyless.io";

/**
 * Effect of a call, which decides about retries.
 *
 * - `read`: it changes nothing.
 * - `repeatable`: a repetition has the same result.
 * - `once`: a repetition has another result, so a lost answer is an error. The next run looks for the object.
 */
export type Effect = "read" | "repeatable" | "once";

export interface ApiOptions {
  /** Time for a call with all its retries, in milliseconds. @default 30000 */
  readonly timeoutMs?: number;
  /** Maximum number of attempts of one call. @default 5 */
  readonly attempts?: number;
  /** First pause before a retry, in milliseconds; doubles with each, up to 4 s, with jitter. @default 200 */
  readonly retryMs?: number;
}

/** The shape of an answer from which no field is read. */
type NoFields = Record<never, never>;

/** Tokens of this process's logins, by a digest of endpoint and credentials. */
const logins = new Map<string, Promise<string>>();

/** Calls commands of the API with the credentials of the environment. This process logs in once for an endpoint and credentials. */
export class AkeylessApi {
  readonly endpoint: AkeylessEndpoint;
  readonly #context: Context;
  readonly #options: ApiOptions;

  constructor(endpoint: AkeylessEndpoint, context: Context, options: ApiOptions = {}) {
    this.endpoint = { ...endpoint, url: endpoint.url.replace(/\/+$/, "") };
    this.#context = context;
    this.#options = options;
  }

  /**
   * Calls a command ("/auth-method-get") and returns its answer.
   *
   * @param shape fields of the answer that are read. An answer in which one of them has another type is an error.
   * @throws ProviderError AKEYLESS_*: with status and Akeyless's message, without any part of the request
   */
  async call<const S extends Shape = NoFields>(
    command: string,
    body: object,
    effect: Effect,
    shape?: S,
  ): Promise<Shaped<S>> {
    const { session, renew } = await this.#session();
    try {
      return await this.#send(command, { ...body, ...session }, effect, shape);
    } catch (error) {
      if (!isProviderError(error, "AKEYLESS_UNAUTHORIZED") || !renew) throw error;
      renew();
    }
    return this.#send(command, { ...body, ...(await this.#session()).session }, effect, shape);
  }

  /** Like `call`. Undefined if the object does not exist. */
  async find<const S extends Shape = NoFields>(
    command: string,
    body: object,
    shape?: S,
  ): Promise<Shaped<S> | undefined> {
    return ifFound(this.call(command, body, "read", shape));
  }

  /** Deletes an object. An object that does not exist is no error. */
  async remove(command: string, body: object): Promise<void> {
    await ifFound(this.call(command, body, "repeatable"));
  }

  /** Calls a command that needs no session, such as a login. */
  async callWithoutSession<const S extends Shape = NoFields>(
    command: string,
    body: object,
    shape?: S,
  ): Promise<Shaped<S>> {
    return this.#send(command, body, "read", shape);
  }

  /** The session of the environment, or of a login. `renew` discards the login, so that the next call logs in again. */
  async #session(): Promise<{ readonly session: Session; readonly renew?: () => void }> {
    const credentials = credentialsOf(this.#context.env, this.endpoint.url);
    if ("session" in credentials) return credentials;
    const { url, caPem = "" } = this.endpoint;
    const key = createHash("sha256")
      .update(JSON.stringify([url, caPem, credentials.login]))
      .digest("hex");
    let login = logins.get(key);
    if (login === undefined) {
      login = this.#login(credentials.login);
      logins.set(key, login);
      login.catch(() => logins.delete(key));
    }
    const renew = () => {
      if (logins.get(key) === login) logins.delete(key);
    };
    return { session: { token: await login }, renew };
  }

  async #login(body: object): Promise<string> {
    const { token } = await this.callWithoutSession("/auth", body, { token: "string" });
    if (token) return token;
    throw new ProviderError(
      "AKEYLESS_NOT_JSON",
      `${this.endpoint.url} answered /auth without a token.`,
      "Check that this is the base URL of an Akeyless REST API v2.",
    );
  }

  async #send<S extends Shape>(
    command: string,
    body: object,
    effect: Effect,
    shape: S | undefined,
  ): Promise<Shaped<S>> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(deadlineReason), this.#options.timeoutMs ?? 30_000);
    const signal = AbortSignal.any([deadline.signal, this.#context.signal]);
    try {
      return parseResponse(this.endpoint, command, await this.#attempts(command, body, effect, signal), shape);
    } finally {
      clearTimeout(timer);
    }
  }

  async #attempts(command: string, body: object, effect: Effect, signal: AbortSignal): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      const { answer, error, askedMs, again } = await this.#attempt(command, body, effect, signal);
      if (answer !== undefined) return answer;
      if (!again || attempt >= (this.#options.attempts ?? 5)) throw error;
      await this.#pause(attempt, askedMs, signal, error);
    }
  }

  /** Makes one attempt. `again`: a retry is safe. `askedMs`: the pause that the server requests. */
  async #attempt(command: string, body: object, effect: Effect, signal: AbortSignal) {
    let answer: HttpResponse;
    try {
      answer = await post(this.endpoint, command, body, this.#context.env, signal);
    } catch (error) {
      const again = effect !== "once" && isProviderError(error, "AKEYLESS_RESET");
      return { error: error as ProviderError, again, askedMs: 0 };
    }
    if (answer.status >= 200 && answer.status < 300) return { answer };
    const error = statusError(this.endpoint, command, answer, secretValues(body));
    return { error, again: isRetriable(answer.status, effect), askedMs: retryAfterMs(answer) };
  }

  async #pause(attempt: number, askedMs = 0, signal: AbortSignal, error: ProviderError): Promise<void> {
    const backoff = { firstMs: this.#options.retryMs ?? 200, maxMs: 4_000 };
    await pause(backoff, attempt, askedMs, signal).catch(() => {
      if (signal.reason === deadlineReason) throw error;
      throw new ProviderError("CANCELLED", `A call to ${this.endpoint.url} was cancelled.`);
    });
  }
}

/** 429 and 503 are answered before the call has any effect. After other server errors the effect is unknown. */
function isRetriable(status: number, effect: Effect): boolean {
  if (status === 429 || status === 503) return true;
  return effect !== "once" && status >= 500;
}

function parseResponse<S extends Shape>(
  endpoint: AkeylessEndpoint,
  command: string,
  answer: HttpResponse,
  shape: S | undefined,
): Shaped<S> {
  let value: unknown;
  try {
    value = JSON.parse(answer.text);
  } catch {
    throw notJson(endpoint, command, answer);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw notJson(endpoint, command, answer);
  const wrong = typeMismatch(value, shape ?? {});
  if (wrong !== undefined) throw unexpectedShape(endpoint, command, wrong);
  return value as Shaped<S>;
}

async function ifFound<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isProviderError(error, "AKEYLESS_NOT_FOUND")) return undefined;
    throw error;
  }
}
