/** Prometheus metrics. What happens for each request is counted in plain numbers and read when metrics are asked for. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { type RefusalReason, refusals } from "./errors.ts";

const prefix = "k8sauth_verifier_";
const seconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Numbers that others keep, read when they are asked for. */
export interface Gauges {
  readonly cacheEntries: () => { readonly accepted: number; readonly refused: number };
  readonly cacheCounts: () => Readonly<Record<"acceptedHits" | "refusedHits" | "misses" | "shared", number>>;
  readonly pending: () => number;
  readonly reviewsInFlight: () => number;
  readonly keys: () => readonly { readonly issuer: string; readonly count: number; readonly loadedAtMs: number }[];
  readonly certificateNotAfterMs: () => number | undefined;
  readonly ready: () => boolean;
}

export class Metrics {
  readonly registry = new Registry();
  readonly reviewSeconds: Histogram<"outcome">;
  readonly verificationSeconds: Histogram;
  readonly keyRefreshes: Counter<"issuer" | "outcome">;
  readonly #accepted = new Map<string, number>();
  readonly #refused = new Map<RefusalReason, number>();
  readonly #loopDelay = monitorEventLoopDelay({ resolution: 20 });

  constructor(gauges: Gauges) {
    const registers = [this.registry];
    this.reviewSeconds = new Histogram({
      name: `${prefix}review_duration_seconds`,
      help: "Time of TokenReviews, by outcome",
      labelNames: ["outcome"],
      buckets: seconds,
      registers,
    });
    this.verificationSeconds = new Histogram({
      name: `${prefix}verification_duration_seconds`,
      help: "Time of verifications that no cache spared, reviews included",
      buckets: seconds,
      registers,
    });
    this.keyRefreshes = new Counter({
      name: `${prefix}key_refreshes_total`,
      help: "Looks at an issuer's keys, by outcome",
      labelNames: ["issuer", "outcome"],
      registers,
    });
    this.#decisions();
    this.#caches(gauges);
    this.#states(gauges);
    this.#process();
  }

  accepted(issuer: string): void {
    this.#accepted.set(issuer, (this.#accepted.get(issuer) ?? 0) + 1);
  }

  refused(reason: RefusalReason): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
  }

  stop(): void {
    this.#loopDelay.disable();
  }

  #decisions(): void {
    const accepted = this.#accepted;
    const refused = this.#refused;
    new Counter({
      name: `${prefix}decisions_total`,
      help: "Answers, by status, reason of a refusal and issuer of an accepted token",
      labelNames: ["status", "reason", "issuer"],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [issuer, count] of accepted) this.inc({ status: "200", reason: "", issuer }, count);
        for (const [reason, count] of refused)
          this.inc({ status: String(refusals[reason].status), reason, issuer: "" }, count);
      },
    });
  }

  #caches({ cacheCounts, cacheEntries }: Gauges): void {
    new Counter({
      name: `${prefix}lookups_total`,
      help: "Tokens, by what was known of them: accepted, refused, under way, or nothing",
      labelNames: ["result"],
      registers: [this.registry],
      collect() {
        const { acceptedHits, refusedHits, misses, shared } = cacheCounts();
        this.reset();
        this.inc({ result: "accepted" }, acceptedHits);
        this.inc({ result: "refused" }, refusedHits);
        this.inc({ result: "shared" }, shared);
        this.inc({ result: "miss" }, misses);
      },
    });
    new Gauge({
      name: `${prefix}cache_entries`,
      help: "Tokens that are remembered",
      labelNames: ["cache"],
      registers: [this.registry],
      collect() {
        const { accepted, refused } = cacheEntries();
        this.set({ cache: "accepted" }, accepted);
        this.set({ cache: "refused" }, refused);
      },
    });
  }

  #states({ pending, reviewsInFlight, keys, certificateNotAfterMs, ready }: Gauges): void {
    this.#gauge("pending", "Verifications under way", pending);
    this.#gauge("reviews_in_flight", "TokenReviews under way", reviewsInFlight);
    this.#gauge("ready", "1 when ready", () => (ready() ? 1 : 0));
    this.#gauge(
      "tls_certificate_not_after_seconds",
      "End of the serving certificate, seconds since 1970; 0 without TLS",
      () => (certificateNotAfterMs() ?? 0) / 1000,
    );
    new Gauge({
      name: `${prefix}keys`,
      help: "Usable keys of an issuer",
      labelNames: ["issuer"],
      registers: [this.registry],
      collect() {
        for (const { issuer, count } of keys()) this.set({ issuer }, count);
      },
    });
    new Gauge({
      name: `${prefix}keys_loaded_timestamp_seconds`,
      help: "When an issuer's keys were last had, seconds since 1970",
      labelNames: ["issuer"],
      registers: [this.registry],
      collect() {
        for (const { issuer, loadedAtMs } of keys()) this.set({ issuer }, loadedAtMs / 1000);
      },
    });
  }

  #process(): void {
    const startedAt = Date.now() / 1000 - process.uptime();
    const loopDelay = this.#loopDelay;
    loopDelay.enable();
    this.#gauge("event_loop_delay_p99_seconds", "Delay of the event loop since the last look, 99th percentile", () => {
      const p99 = loopDelay.percentile(99) / 1e9;
      loopDelay.reset();
      return p99;
    });
    new Counter({
      name: "process_cpu_seconds_total",
      help: "Total user and system CPU time spent in seconds.",
      registers: [this.registry],
      collect() {
        const { user, system } = process.cpuUsage();
        this.reset();
        this.inc((user + system) / 1e6);
      },
    });
    this.#gauge("process_resident_memory_bytes", "Resident memory size in bytes.", () => process.memoryUsage.rss(), "");
    this.#gauge(
      "process_start_time_seconds",
      "Start time of the process since unix epoch in seconds.",
      () => startedAt,
      "",
    );
  }

  #gauge(name: string, help: string, read: () => number, before = prefix): void {
    new Gauge({
      name: before + name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }
}
