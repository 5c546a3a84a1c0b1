/**
 * A small client of Akeyless's REST API v2. The official SDK does the same calls, but takes about a second and 60 MiB to
 * load, more than a whole `up`, and leaves CAs, deadlines and retries to the process's environment.
 *
 * @see https://docs.akeyless.io/reference
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isProviderError, ProviderError } from "../errors.ts";
import type { Context } from "../resource.ts";
import { notJson, statusError, withheld } from "./answers.ts";
import { type AkeylessEndpoint, deadlineReason, post, type RawAnswer } from "./transport.ts";

/** The service's own API. Auth configs of gateways are not among what it does. */
export const publicApi = "https://api.akeyless.io";

/**
 * What a repetition does. `read`: nothing. `repeatable`: the same again. `once`: something else, so an answer that is lost
 * is an error, and the next run looks what came of it.
 */
export type Effect = "read" | "repeatable" | "once";

export interface ApiOptions {
  /** Time for a call with all its retries, in milliseconds. @default 30000 */
  readonly timeoutMs?: number;
  /** @default 5 */
  readonly attempts?: number;
  /** First pause before a retry, in milliseconds; doubles with each, up to 4 s, with jitter. @default 200 */
  readonly retryMs?: number;
}

/** An answer's fields, none of which is sure to be there. */
export type Fields<T> = { readonly [K in keyof T]?: T[K] | null };

/** Tokens of this process's logins, by endpoint and credentials. */
const logins = new Map<string, Promise<string>>();

/** Calls commands as the user that AKEYLESS_ACCESS_ID and AKEYLESS_ACCESS_KEY, or AKEYLESS_TOKEN, name. */
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
   * Calls a command ("/auth-method-get") and answers its fields.
   *
   * @throws ProviderError AKEYLESS_*: with status and the product's own message, never with a part of what was sent
   */
  async call<T extends object>(command: string, body: object, effect: Effect): Promise<Fields<T>> {
    const token = await this.#token();
    try {
      return await this.#send<T>(command, { ...body, token: token.value }, effect);
    } catch (error) {
      if (!isProviderError(error, "AKEYLESS_UNAUTHORIZED") || !token.renew) throw error;
      token.renew();
    }
    return this.#send<T>(command, { ...body, token: (await this.#token()).value }, effect);
  }

  /** Like `call`; undefined for what is not there. */
  async find<T extends object>(command: string, body: object): Promise<Fields<T> | undefined> {
    return ifFound(this.call<T>(command, body, "read"));
  }

  /** Deletes; what is gone already is well. */
  async remove(command: string, body: object): Promise<void> {
    await ifFound(this.call(command, body, "repeatable"));
  }

  /** Calls a command that takes no session, such as a login. */
  async open<T extends object>(command: string, body: object): Promise<Fields<T>> {
    return this.#send<T>(command, body, "read");
  }

  async #token(): Promise<{ readonly value: string; readonly renew?: () => void }> {
    const { AKEYLESS_ACCESS_ID: accessId, AKEYLESS_ACCESS_KEY: accessKey, AKEYLESS_TOKEN: token } = this.#context.env;
    if (!accessId || !accessKey) {
      if (token) return { value: token };
      throw new ProviderError(
        "AKEYLESS_CREDENTIALS_MISSING",
        `There are no credentials for ${this.endpoint.url} in the environment.`,
        "Set AKEYLESS_ACCESS_ID and AKEYLESS_ACCESS_KEY, or AKEYLESS_TOKEN, where up runs; they are kept nowhere.",
      );
    }
    const { url, caPem = "" } = this.endpoint;
    const key = createHash("sha256")
      .update(JSON.stringify([url, caPem, accessId, accessKey]))
      .digest("hex");
    let login = logins.get(key);
    if (login === undefined) {
      login = this.#login(accessId, accessKey);
      logins.set(key, login);
      login.catch(() => logins.delete(key));
    }
    const renew = () => {
      if (logins.get(key) === login) logins.delete(key);
    };
    return { value: await login, renew };
  }

  async #login(accessId: string, accessKey: string): Promise<string> {
    const body = { "access-type": "access_key", "access-id": accessId, "access-key": accessKey };
    const { token } = await this.open<{ token: string }>("/auth", body);
    if (typeof token === "string" && token !== "") return token;
    throw new ProviderError(
      "AKEYLESS_NOT_JSON",
      `${this.endpoint.url} answered /auth without a token.`,
      "Check that this is the base URL of an Akeyless REST API.",
    );
  }

  async #send<T extends object>(command: string, body: object, effect: Effect): Promise<Fields<T>> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(deadlineReason), this.#options.timeoutMs ?? 30_000);
    const signal = AbortSignal.any([deadline.signal, this.#context.signal]);
    try {
      return parsed<T>(this.endpoint, command, await this.#attempts(command, body, effect, signal));
    } finally {
      clearTimeout(timer);
    }
  }

  async #attempts(command: string, body: object, effect: Effect, signal: AbortSignal): Promise<RawAnswer> {
    for (let attempt = 1; ; attempt++) {
      const { answer, error, askedMs, again } = await this.#attempt(command, body, effect, signal);
      if (answer !== undefined) return answer;
      if (!again || attempt >= (this.#options.attempts ?? 5)) throw error;
      await this.#pause(attempt, askedMs, signal, error);
    }
  }

  /** One attempt, whose failure says whether another one is safe. */
  async #attempt(command: string, body: object, effect: Effect, signal: AbortSignal) {
    let answer: RawAnswer;
    try {
      answer = await post(this.endpoint, command, body, this.#context.env, signal);
    } catch (error) {
      const again = effect !== "once" && isProviderError(error, "AKEYLESS_RESET");
      return { error: error as ProviderError, again, askedMs: 0 };
    }
    if (answer.status >= 200 && answer.status < 300) return { answer };
    const error = statusError(this.endpoint, command, answer, withheld(body));
    return { error, again: isRetriable(answer.status, effect), askedMs: answer.retryAfterMs };
  }

  async #pause(attempt: number, askedMs = 0, signal: AbortSignal, error: ProviderError): Promise<void> {
    const backoff = Math.min((this.#options.retryMs ?? 200) * 2 ** (attempt - 1), 4_000);
    await sleep(askedMs + backoff * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {
      if (signal.reason === deadlineReason) throw error;
      throw new ProviderError("CANCELLED", `A call to ${this.endpoint.url} was cancelled.`);
    });
  }
}

/** 429 and 503 are said before anything is done; other server errors leave open whether something was. */
function isRetriable(status: number, effect: Effect): boolean {
  if (status === 429 || status === 503) return true;
  return effect !== "once" && status >= 500;
}

function parsed<T extends object>(endpoint: AkeylessEndpoint, command: string, answer: RawAnswer): Fields<T> {
  let value: unknown;
  try {
    value = JSON.parse(answer.text);
  } catch {
    throw notJson(endpoint, command, answer);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw notJson(endpoint, command, answer);
  return value as Fields<T>;
}

async function ifFound<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isProviderError(error, "AKEYLESS_NOT_FOUND")) return undefined;
    throw error;
  }
}
