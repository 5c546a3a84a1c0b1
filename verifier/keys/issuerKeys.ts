/** The keys of one issuer. They are refreshed in the background before they are stale, and when a token names an unknown key. */
import { type Clock, longestSince, type Moment, momentOf } from "../clock.ts";
import { Refusal, VerifierError } from "../errors.ts";
import { isNoneUsable, type VerificationKey } from "./keySet.ts";
import { type KeyLoader, type LoadedKeys, minFreshMs } from "./keySource.ts";

export interface IssuerKeysOptions {
  readonly load: KeyLoader;
  readonly clock: Clock;
  /** How long keys that cannot be refreshed stay in use after they are stale, in milliseconds. */
  readonly maxStaleMs: number;
  /** If true, a caller that needs fresh keys waits out the refresh cooldown. @default true */
  readonly waits?: boolean;
  /** Longest pause between attempts while there are no keys, in milliseconds. @default 1000 */
  readonly maxFirstRetryMs?: number;
  /** Called after every attempt to load the keys. */
  readonly onAttempt?: (attempt: LoadAttempt) => void;
  /** @default Math.random */
  readonly random?: () => number;
}

export type LoadAttempt =
  | { readonly ok: true; readonly loaded: LoadedKeys; readonly changed: boolean }
  | { readonly ok: false; readonly error: Error };

/** Shortest time between two refreshes because of unknown keys. */
const cooldownMs = 1_000;
const firstRetryMs = 250;
const maxRetryMs = 30_000;
/** Requests that may wait for a refresh at a time. Without a limit, forged key ids could fill the memory. */
const maxWaiting = 256;

export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  readonly #stopped = new AbortController();
  #loaded: LoadedKeys | undefined;
  #loadedAt: Moment = { monotonic: 0, wall: 0 };
  #attemptedAt = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;
  /** The next refresh because of an unknown key, from the first request for it until it begins. */
  #requested: Promise<void> | undefined;
  #waiting = 0;
  #attempts = 0;
  #problem: unknown;
  #generation = 0;
  #running: Promise<void> | undefined;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /** True after the first successful attempt, even if the issuer has withdrawn all keys since. */
  get isLoaded(): boolean {
    return this.#loaded !== undefined;
  }

  /** True after the first attempt, successful or not. */
  get wasTried(): boolean {
    return this.#attempts > 0;
  }

  /** Error of the last attempt; `undefined` if it succeeded. */
  get problem(): unknown {
    return this.#problem;
  }

  /** Value of `iss` in tokens of these keys; `undefined` before they are loaded. */
  get issuer(): string | undefined {
    return this.#loaded?.issuer;
  }

  get keyCount(): number {
    return this.#loaded?.set.keys.length ?? 0;
  }

  /** Why the issuer has no keys any more; `undefined` while it has some. */
  get withdrawal(): string | undefined {
    return this.#loaded && this.keyCount === 0 ? this.#loaded.set.leftOut.join("; ") : undefined;
  }

  /** Milliseconds since 1970 of the last successful attempt; 0 before it. */
  get loadedAt(): number {
    return this.#loadedAt.wall;
  }

  /** Grows when a key is removed. Decisions of an earlier generation are no longer valid. */
  get generation(): number {
    return this.#generation;
  }

  /** Loads the keys, and refreshes them until `stop`. */
  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  /**
   * The keys, refreshed first if they are stale. They can be stale without an attempt to refresh them: the timers of a paused machine
   * stand still. If they cannot be refreshed, they are used up to `maxStaleMs`.
   *
   * @throws Refusal keys_unavailable
   */
  async freshKeys(): Promise<readonly VerificationKey[]> {
    const loaded = this.#loaded;
    if (!loaded) throw new Refusal("keys_unavailable", 1);
    // By the wall clock too, which continues while a machine is paused. If it was set instead, a refresh does no harm.
    const isStale = longestSince(this.#loadedAt, this.#options.clock) > loaded.freshForMs;
    if (!isStale || (this.#problem !== undefined && !this.#isTooOld)) return loaded.set.keys;
    // A refresh that is running is enough. After a failed one, the cooldown applies.
    const work = this.#problem === undefined || this.#refreshing ? this.#refresh() : this.refresh();
    await work.catch(() => {});
    if (this.#isTooOld) throw new Refusal("keys_unavailable", 1);
    return this.#loaded?.set.keys ?? [];
  }

  /** By the monotonic clock, so that setting the wall clock makes no key unusable. */
  get #isTooOld(): boolean {
    const { clock, maxStaleMs } = this.#options;
    const ageMs = clock.monotonic() - this.#loadedAt.monotonic;
    return ageMs > (this.#loaded?.freshForMs ?? 0) + maxStaleMs;
  }

  /**
   * Refreshes the keys because a token names an unknown one. There is at most one refresh a second, which all waiting callers share. Returns
   * after a refresh that began after this call. With `waits: false`, it can have begun up to a second before.
   *
   * @throws Refusal busy if too many callers wait; keys_unavailable if the keys cannot be loaded, because the token may be valid
   */
  async refresh(): Promise<void> {
    if (this.#waiting >= maxWaiting) throw new Refusal("busy", 1);
    this.#waiting += 1;
    try {
      this.#requested ??= this.#refreshAfterCooldown();
      await this.#requested;
    } catch {
      throw new Refusal("keys_unavailable", 1);
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Requests the same refresh as `refresh`, and does not wait for it. */
  refreshInBackground(): void {
    this.#requested ??= this.#refreshAfterCooldown();
    this.#requested.catch(() => {});
  }

  async #refreshAfterCooldown(): Promise<void> {
    const { clock, waits = true } = this.#options;
    const waitMs = this.#attemptedAt + cooldownMs - clock.monotonic();
    if (waitMs > 0 && waits) await clock.sleep(waitMs, this.#stopped.signal);
    await this.#refreshing?.catch(() => {});
    // Callers that come later need the refresh after this one.
    this.#requested = undefined;
    if (waitMs <= 0 || waits) await this.#refresh();
  }

  #refresh(): Promise<void> {
    this.#refreshing ??= this.#attempt().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #attempt(): Promise<void> {
    const { clock, onAttempt } = this.#options;
    this.#attemptedAt = clock.monotonic();
    try {
      const loaded = await this.#load();
      const before = fingerprints(this.#loaded);
      const after = fingerprints(loaded);
      const isAnyRemoved =
        this.#loaded !== undefined &&
        ([...before].some((key) => !after.has(key)) || this.#loaded.issuer !== loaded.issuer);
      if (isAnyRemoved) this.#generation += 1;
      this.#loaded = loaded;
      this.#loadedAt = momentOf(clock);
      this.#attempts += 1;
      this.#problem = undefined;
      onAttempt?.({ ok: true, loaded, changed: isAnyRemoved || after.size !== before.size });
    } catch (error) {
      this.#attempts += 1;
      this.#problem = error;
      onAttempt?.({ ok: false, error: error as Error });
      throw error;
    }
  }

  /** After a successful attempt, a key set without a usable key means that the issuer withdraws its keys. */
  async #load(): Promise<LoadedKeys> {
    try {
      return await this.#options.load();
    } catch (error) {
      if (!this.#loaded || !isNoneUsable(error)) throw error;
      return { ...this.#loaded, set: { keys: [], leftOut: [error.message] }, freshForMs: minFreshMs };
    }
  }

  async #run(): Promise<void> {
    const { clock, random = Math.random, maxFirstRetryMs = 1_000 } = this.#options;
    const { signal } = this.#stopped;
    let failures = 0;
    while (!signal.aborted) {
      let waitMs: number;
      try {
        await this.#refresh();
        failures = 0;
        // Before the keys are stale, because requests then wait for a refresh.
        waitMs = (this.#loaded?.freshForMs ?? 0) * (0.7 + random() * 0.2);
      } catch (error) {
        failures += 1;
        const limitMs = this.#loaded || isMistake(error) ? maxRetryMs : maxFirstRetryMs;
        waitMs = Math.min(firstRetryMs * 2 ** Math.min(failures - 1, 10), limitMs) * (0.5 + random() / 2);
      }
      await clock.sleep(waitMs, signal);
    }
  }
}

/** Whether the discovery document names a wrong issuer. Another attempt fails until the document or the configuration is corrected. */
function isMistake(error: unknown): boolean {
  return error instanceof VerifierError && error.code.startsWith("DISCOVERY_ISSUER_");
}

function fingerprints(loaded: LoadedKeys | undefined): Set<string> {
  return new Set(loaded?.set.keys.map((key) => `${key.kid ?? ""} ${key.algorithm} ${key.thumbprint}`));
}
