/** The keys of one issuer, kept fresh: refreshed in the background, and at once for a key that nobody has seen before. */
import type { Clock } from "../clock.ts";
import { Refusal } from "../errors.ts";
import type { VerificationKey } from "./keySet.ts";
import type { Loaded, Loader } from "./loaders.ts";

export interface KeyringOptions {
  readonly load: Loader;
  readonly clock: Clock;
  /** How long keys serve that cannot be refreshed, in milliseconds. */
  readonly maxStaleMs: number;
  /** Whether who needs a fresh look waits for it, when the last one was a moment ago; otherwise that one has to do. @default true */
  readonly waits?: boolean;
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
/** As long as there are no keys at all. */
const maxFirstRetryMs = 1_000;
/** Requests that wait for keys at a time: tokens with made-up key ids must not pile up. */
const maxWaiting = 256;

export class Keyring {
  readonly #options: KeyringOptions;
  readonly #stopped = new AbortController();
  #loaded: Loaded | undefined;
  #loadedAt = 0;
  #startedAt = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;
  #wanted: Promise<void> | undefined;
  #waiting = 0;
  #attempts = 0;
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

  get issuer(): string | undefined {
    return this.#loaded?.issuer;
  }

  get keyCount(): number {
    return this.#loaded?.set.keys.length ?? 0;
  }

  /** Milliseconds since 1970 of the last success; 0 before it. */
  get loadedAt(): number {
    return this.#loadedAt;
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

  /** @throws Refusal keys_unavailable */
  keys(): readonly VerificationKey[] {
    const loaded = this.#loaded;
    if (!loaded) throw new Refusal("keys_unavailable", 1);
    const staleMs = this.#options.clock.now() - this.#loadedAt - loaded.freshForMs;
    if (staleMs > this.#options.maxStaleMs) throw new Refusal("keys_unavailable", 5);
    return loaded.set.keys;
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

  async #refreshAfterCooldown(): Promise<void> {
    const { clock, waits = true } = this.#options;
    const waitMs = this.#startedAt + cooldownMs - clock.now();
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
    this.#startedAt = clock.now();
    try {
      const loaded = await load();
      const before = thumbprints(this.#loaded);
      const after = thumbprints(loaded);
      const lost =
        this.#loaded !== undefined &&
        ([...before].some((key) => !after.has(key)) || this.#loaded.issuer !== loaded.issuer);
      if (lost) this.#generation += 1;
      this.#loaded = loaded;
      this.#loadedAt = clock.now();
      this.#attempts += 1;
      onAttempt?.({ ok: true, loaded, changed: lost || after.size !== before.size });
    } catch (error) {
      this.#attempts += 1;
      onAttempt?.({ ok: false, error: error as Error });
      throw error;
    }
  }

  async #run(): Promise<void> {
    const { clock, random = Math.random } = this.#options;
    const { signal } = this.#stopped;
    let failures = 0;
    while (!signal.aborted) {
      let waitMs: number;
      try {
        await this.#refresh();
        failures = 0;
        waitMs = (this.#loaded?.freshForMs ?? 0) * (0.8 + random() * 0.2);
      } catch {
        failures += 1;
        const limitMs = this.#loaded ? maxRetryMs : maxFirstRetryMs;
        waitMs = Math.min(firstRetryMs * 2 ** Math.min(failures - 1, 10), limitMs) * (0.5 + random() / 2);
      }
      await clock.sleep(waitMs, signal);
    }
  }
}

function thumbprints(loaded: Loaded | undefined): Set<string> {
  return new Set(loaded?.set.keys.map((key) => `${key.kid ?? ""} ${key.algorithm} ${key.thumbprint}`));
}
