/** The verifier's metrics. Requests increment plain numbers, which are read at each scrape. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type RefusalReason, refusals } from "./errors.ts";
import { Counts, Durations, exposition, type Metric, type Sample } from "./exposition.ts";

const prefix = "k8sauth_verifier_";
const bounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Values of other parts of the service, read at each scrape. */
export interface Gauges {
  readonly cached: () => Readonly<Record<"accepted" | "refused", { readonly entries: number; readonly bytes: number }>>;
  readonly cacheCounts: () => Readonly<Record<"acceptedHits" | "refusedHits" | "misses" | "shared", number>>;
  readonly pending: () => number;
  readonly reviewsInFlight: () => number;
  readonly keys: () => readonly { readonly issuer: string; readonly count: number; readonly loadedAtMs: number }[];
  readonly issuers: () => readonly { readonly issuer: string; readonly ready: boolean }[];
  readonly certificateNotAfterMs: () => number | undefined;
  readonly ready: () => boolean;
  readonly connections: () => {
    readonly open: number;
    readonly limit: number;
    readonly refused: Readonly<Record<"address" | "full", number>>;
    readonly displaced: number;
  };
}

export class Metrics {
  readonly #reviews = new Durations(bounds);
  readonly #verifications = new Durations(bounds, {});
  readonly #keyRefreshes = new Counts();
  readonly #accepted = new Map<string, number>();
  readonly #refused = new Map<RefusalReason, number>();
  #unchecked = 0;
  readonly #loopDelay = monitorEventLoopDelay({ resolution: 20 });
  readonly #metrics: readonly Metric[];

  constructor(gauges: Gauges) {
    this.#loopDelay.enable();
    this.#metrics = [
      ...this.#decisions(),
      ...cacheMetrics(gauges),
      ...stateMetrics(gauges),
      ...connectionMetrics(gauges),
      ...this.#process(),
    ];
  }

  accepted(issuer: string): void {
    this.#accepted.set(issuer, (this.#accepted.get(issuer) ?? 0) + 1);
  }

  refused(reason: RefusalReason): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
  }

  /** Counts a request that needed no token. */
  unchecked(): void {
    this.#unchecked += 1;
  }

  /** Counts a TokenReview. */
  reviewed(outcome: string, ms: number): void {
    this.#reviews.observe(ms / 1000, { outcome });
  }

  /** Counts a verification of a token that was not in a cache. */
  verified(ms: number): void {
    this.#verifications.observe(ms / 1000);
  }

  /** Counts an attempt to load the keys of an issuer. */
  keysRefreshed(issuer: string, isOk: boolean): void {
    this.#keyRefreshes.increment({ issuer, outcome: isOk ? "ok" : "error" });
  }

  /** All metrics, in the text format of Prometheus. */
  text(): string {
    return exposition(this.#metrics);
  }

  stop(): void {
    this.#loopDelay.disable();
  }

  *#answers(): Iterable<Sample> {
    for (const [issuer, value] of this.#accepted) yield { labels: { status: "200", reason: "", issuer }, value };
    if (this.#unchecked > 0)
      yield { labels: { status: "200", reason: "unchecked", issuer: "" }, value: this.#unchecked };
    for (const [reason, value] of this.#refused)
      yield { labels: { status: String(refusals[reason].status), reason, issuer: "" }, value };
  }

  #decisions(): Metric[] {
    return [
      counter(
        "decisions_total",
        "Answers, by status, reason of a refusal (or unchecked if no token was needed) and issuer of an accepted token",
        () => this.#answers(),
      ),
      {
        name: `${prefix}review_duration_seconds`,
        help: "Time of TokenReviews, by outcome",
        type: "histogram",
        samples: () => this.#reviews.samples(),
      },
      {
        name: `${prefix}verification_duration_seconds`,
        help: "Time of verifications of tokens that were in no cache, reviews included",
        type: "histogram",
        samples: () => this.#verifications.samples(),
      },
      counter("key_refreshes_total", "Attempts to load an issuer's keys, by outcome", () =>
        this.#keyRefreshes.samples(),
      ),
    ];
  }

  #process(): Metric[] {
    const startedAt = Date.now() / 1000 - process.uptime();
    const delay = () => {
      const p99 = this.#loopDelay.percentile(99) / 1e9;
      this.#loopDelay.reset();
      return p99;
    };
    const cpuSeconds = () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    };
    // The last three have the names and texts of Prometheus' client libraries.
    return [
      gauge("event_loop_delay_p99_seconds", "Delay of the event loop since the last scrape, 99th percentile", delay),
      {
        name: "process_cpu_seconds_total",
        help: "Total user and system CPU time spent in seconds.",
        type: "counter",
        samples: () => sampleOf(cpuSeconds()),
      },
      {
        name: "process_resident_memory_bytes",
        help: "Resident memory size in bytes.",
        type: "gauge",
        samples: () => sampleOf(process.memoryUsage.rss()),
      },
      {
        name: "process_start_time_seconds",
        help: "Start time of the process since unix epoch in seconds.",
        type: "gauge",
        samples: () => sampleOf(startedAt),
      },
    ];
  }
}

function cacheMetrics({ cacheCounts, cached }: Gauges): Metric[] {
  const results = { accepted: "acceptedHits", refused: "refusedHits", shared: "shared", miss: "misses" } as const;
  const sizes = (unit: "entries" | "bytes") => () =>
    Object.entries(cached()).map(([cache, size]) => ({ labels: { cache }, value: size[unit] }));
  return [
    counter(
      "lookups_total",
      "Lookups of tokens in the caches, by result; shared: the verification was in progress",
      () => {
        const counts = cacheCounts();
        return Object.entries(results).map(([result, key]) => ({ labels: { result }, value: counts[key] }));
      },
    ),
    gauges("cache_entries", "Tokens in a cache", sizes("entries")),
    gauges("cache_bytes", "Estimated memory of a cache", sizes("bytes")),
  ];
}

function stateMetrics({ pending, reviewsInFlight, keys, issuers, certificateNotAfterMs, ready }: Gauges): Metric[] {
  return [
    gauge("pending", "Verifications in progress", pending),
    gauge("reviews_in_flight", "TokenReviews in progress", reviewsInFlight),
    gauge("ready", "1 when ready", () => Number(ready())),
    gauge(
      "tls_certificate_not_after_seconds",
      "Expiry of the serving certificate, seconds since 1970; 0 without TLS",
      () => (certificateNotAfterMs() ?? 0) / 1000,
    ),
    gauges("issuer_ready", "1 for an issuer whose tokens can be verified", () =>
      issuers().map(({ issuer, ready }) => ({ labels: { issuer }, value: Number(ready) })),
    ),
    gauges("keys", "Usable keys of an issuer", () =>
      keys().map(({ issuer, count }) => ({ labels: { issuer }, value: count })),
    ),
    gauges("keys_loaded_timestamp_seconds", "When an issuer's keys were last loaded, seconds since 1970", () =>
      keys().map(({ issuer, loadedAtMs }) => ({ labels: { issuer }, value: loadedAtMs / 1000 })),
    ),
  ];
}

function connectionMetrics({ connections }: Gauges): Metric[] {
  return [
    gauge("connections", "Open connections", () => connections().open),
    gauge("connections_limit", "Limit of open connections", () => connections().limit),
    counter(
      "connections_refused_total",
      "Connections closed at once, by limit: that of their address (address), or that of the server (full)",
      () => Object.entries(connections().refused).map(([reason, value]) => ({ labels: { reason }, value })),
    ),
    counter(
      "connections_displaced_total",
      "Idle connections closed at the limit of the server, to admit one of an address that had fewer",
      () => sampleOf(connections().displaced),
    ),
  ];
}

function counter(name: string, help: string, samples: Metric["samples"]): Metric {
  return { name: prefix + name, help, type: "counter", samples };
}

function gauges(name: string, help: string, samples: Metric["samples"]): Metric {
  return { name: prefix + name, help, type: "gauge", samples };
}

function gauge(name: string, help: string, read: () => number): Metric {
  return gauges(name, help, () => sampleOf(read()));
}

function sampleOf(value: number): Sample[] {
  return [{ value }];
}
