/** Prometheus text exposition. @see https://prometheus.io/docs/instrumenting/exposition_formats/ */

export const contentType = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Readonly<Record<string, string>>;

/** One value of a metric. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
  /** Appended to the metric's name: `_bucket`, `_sum` or `_count` of a histogram. */
  readonly suffix?: string;
}

/** A metric. Its values are read at each scrape. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: () => Iterable<Sample>;
}

/** All metrics as one text. */
export function exposition(metrics: Iterable<Metric>): string {
  return [...metrics].flatMap(linesOf).join("\n").concat("\n");
}

function linesOf({ name, help, type, samples }: Metric): string[] {
  const values = Array.from(
    samples(),
    ({ labels, value, suffix = "" }) => `${name}${suffix}${labelText(labels)} ${value}`,
  );
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...values];
}

function labelText(labels: Labels = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}

/** A counter for each combination of label values. */
export class Counts {
  readonly #samples = new Map<string, { readonly labels: Labels; value: number }>();

  increment(labels: Labels): void {
    const key = JSON.stringify(labels);
    const sample = this.#samples.get(key);
    if (sample) sample.value += 1;
    else this.#samples.set(key, { labels, value: 1 });
  }

  samples(): Iterable<Sample> {
    return this.#samples.values();
  }
}

/** A histogram of durations in seconds, for each combination of label values. */
export class Durations {
  readonly #bounds: readonly number[];
  readonly #series = new Map<
    string,
    { readonly labels: Labels; readonly buckets: number[]; sum: number; count: number }
  >();

  /**
   * @param bounds upper bounds of the buckets in seconds, ascending
   * @param always labels of a series that exists before its first observation
   */
  constructor(bounds: readonly number[], always?: Labels) {
    this.#bounds = bounds;
    if (always) this.#at(always);
  }

  observe(seconds: number, labels: Labels = {}): void {
    const series = this.#at(labels);
    const bucket = this.#bounds.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
    series.sum += seconds;
    series.count += 1;
  }

  *samples(): Iterable<Sample> {
    for (const { labels, buckets, sum, count } of this.#series.values()) {
      let below = 0;
      for (const [index, bound] of this.#bounds.entries()) {
        below += buckets[index] ?? 0;
        yield { suffix: "_bucket", labels: { le: String(bound), ...labels }, value: below };
      }
      yield { suffix: "_bucket", labels: { le: "+Inf", ...labels }, value: count };
      yield { suffix: "_sum", labels, value: sum };
      yield { suffix: "_count", labels, value: count };
    }
  }

  #at(labels: Labels) {
    const key = JSON.stringify(labels);
    let series = this.#series.get(key);
    if (!series) {
      series = { labels, buckets: this.#bounds.map(() => 0), sum: 0, count: 0 };
      this.#series.set(key, series);
    }
    return series;
  }
}
