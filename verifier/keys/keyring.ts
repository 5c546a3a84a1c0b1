/** The keys of one issuer, refreshed in the background, and at once for an unknown key. */
import { type Clock, longestSince, type Moment, momentOf } from "../clock.ts";
import { Refusal, VerifierError } from "../errors.ts";
import { minFreshMs } from "./freshness.ts";
import { isNoneUsable, type VerificationKey } from "./keySet.ts";
import type { Loaded, Loader } from "./loaders.ts";

export interface KeyringOptions {
  readonly load: Loader;
  readonly clock: Clock;
  /** How long keys serve that cannot be refreshed, in milliseconds. */
  readonly maxStaleMs: number;
  /** If true, a caller that needs fresh keys waits out the refresh cooldown. @default true */
  readonly waits?: boolean;
  /** Longest pause between attempts while there are no keys, in milliseconds. @default 1000 */
  readonly maxFirstRetryMs?: number;
  /** Called after every attempt. */
  readonly onAttempt?: (attempt: KeyringAttempt) => void;
  /** @default Math.random */
  readonly random?: () => number;
}

export type KeyringAttempt =
  | { readonly ok: true; readonly loaded: Loaded; readonly changed: boolean }
  | { readonly ok: false; readonly error: Error };

/** Between two refreshes for unknown keys. */
const cooldownMs = 1_000;
const firstRetryMs = 250;
const maxRetryMs = 30_000;
/** Requests that wait for keys at a time: tokens with made-up key ids must not pile up. */
const maxWaiting = 256;

export class Keyring {
  readonly #options: KeyringOptions;
  readonly #stopped = new AbortController();
  #loaded: Loaded | undefined;
  #loadedAt: Moment = { monotonic: 0, wall: 0 };
  #startedAt = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;
  #wanted: Promise<void> | undefined;
  #waiting = 0;
  #attempts = 0;
  #problem: unknown;
  #generation = 0;
  #running: Promise<void> | undefined;

  constructor(options: KeyringOptions) {
    this.#options = options;
  }

  /** Whether there are keys. */
  get isLoaded(): boolean {
    return this.#loaded !== undefined;
  }

  /** Whether the first attempt is over, whatever came of it. */
  get wasTried(): boolean {
    return this.#attempts > 0;
  }

  /** What the last attempt failed with; `undefined` after one that succeeded. */
  get problem(): unknown {
    return this.#problem;
  }

  get issuer(): string | undefined {
    return this.#loaded?.issuer;
  }

  get keyCount(): number {
    return this.#loaded?.set.keys.length ?? 0;
  }

  /** Why there are no keys though there were some; `undefined` while there are. */
  get withdrawal(): string | undefined {
    return this.#loaded && this.keyCount === 0 ? this.#loaded.set.leftOut.join("; ") : undefined;
  }

  /** Milliseconds since 1970 of the last success; 0 before it. */
  get loadedAt(): number {
    return this.#loadedAt.wall;
  }

  /** Grows whenever a key goes: what was decided with an earlier one has to be decided again. */
  get generation(): number {
    return this.#generation;
  }

  /** Begins to load, and goes on until `stop`. */
  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  /**
   * The keys, refreshed before they are used if they are stale: after a pause of the machine, whose timers have stood still, they can
   * be stale without any attempt to refresh them. Keys that could not be refreshed serve up to the limit.
   *
   * @throws Refusal keys_unavailable
   */
  async freshKeys(): Promise<readonly VerificationKey[]> {
    const loaded = this.#loaded;
    if (!loaded) throw new Refusal("keys_unavailable", 1);
    // By the wall clock too, which goes on while a machine is paused. If it was set instead, a refresh does no harm.
    const isStale = longestSince(this.#loadedAt, this.#options.clock) > loaded.freshForMs;
    if (!isStale || (this.#problem !== undefined && !this.#isTooOld)) return loaded.set.keys;
    // A look that is under way will do. After one that failed, others wait out the cooldown.
    const work = this.#problem === undefined || this.#refreshing ? this.#refresh() : this.refresh();
    await work.catch(() => {});
    if (this.#isTooOld) throw new Refusal("keys_unavailable", 1);
    return this.#loaded?.set.keys ?? [];
  }

  /** By the monotonic clock: setting the wall clock makes no key unusable. */
  get #isTooOld(): boolean {
    const { clock, maxStaleMs } = this.#options;
    const ageMs = clock.monotonic() - this.#loadedAt.monotonic;
    return ageMs > (this.#loaded?.freshForMs ?? 0) + maxStaleMs;
  }

  /**
   * Looks again at the source, because a token names a key that is not known: at most once a second, one look for all who wait.
   * Returns after a look that began after this call, or with `waits: false` less than a second before it.
   *
   * @throws Refusal busy when too many wait, keys_unavailable when the source cannot be had: the token may well be good
   */
  async refresh(): Promise<void> {
    if (this.#waiting >= maxWaiting) throw new Refusal("busy", 1);
    this.#waiting += 1;
    try {
      this.#wanted ??= this.#refreshAfterCooldown();
      await this.#wanted;
    } catch {
      throw new Refusal("keys_unavailable", 1);
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Looks again at the source, at most once a second, without a caller that waits for it. */
  lookAgain(): void {
    this.#wanted ??= this.#refreshAfterCooldown();
    this.#wanted.catch(() => {});
  }

  async #refreshAfterCooldown(): Promise<void> {
    const { clock, waits = true } = this.#options;
    const waitMs = this.#startedAt + cooldownMs - clock.monotonic();
    if (waitMs > 0 && waits) await clock.sleep(waitMs, this.#stopped.signal);
    await this.#refreshing?.catch(() => {});
    // Who comes from here on wants the look after this one.
    this.#wanted = undefined;
    if (waitMs <= 0 || waits) await this.#refresh();
  }

  #refresh(): Promise<void> {
    this.#refreshing ??= this.#load().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #load(): Promise<void> {
    const { clock, load, onAttempt } = this.#options;
    this.#startedAt = clock.monotonic();
    try {
      const loaded = await this.#look(load);
      const before = thumbprints(this.#loaded);
      const after = thumbprints(loaded);
      const lost =
        this.#loaded !== undefined &&
        ([...before].some((key) => !after.has(key)) || this.#loaded.issuer !== loaded.issuer);
      if (lost) this.#generation += 1;
      this.#loaded = loaded;
      this.#loadedAt = momentOf(clock);
      this.#attempts += 1;
      this.#problem = undefined;
      onAttempt?.({ ok: true, loaded, changed: lost || after.size !== before.size });
    } catch (error) {
      this.#attempts += 1;
      this.#problem = error;
      onAttempt?.({ ok: false, error: error as Error });
      throw error;
    }
  }

  /** A key set without a usable key is the issuer's word once there were keys: it withdraws them. */
  async #look(load: Loader): Promise<Loaded> {
    try {
      return await load();
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
        // Before they are stale: requests wait for a look once they are.
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

/** A document of the wrong issuer: another look does not help until the document or the configuration is corrected. */
function isMistake(error: unknown): boolean {
  return error instanceof VerifierError && error.code.startsWith("DISCOVERY_ISSUER_");
}

function thumbprints(loaded: Loaded | undefined): Set<string> {
  return new Set(loaded?.set.keys.map((key) => `${key.kid ?? ""} ${key.algorithm} ${key.thumbprint}`));
}
