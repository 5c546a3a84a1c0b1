/** docs/metrics.md, from the answer of the verifier's metrics to a scrape. */
import { type RefusalReason, refusals } from "../../verifier/errors.ts";
import { Metrics } from "../../verifier/metrics.ts";
import { row } from "./part.ts";

/** A metric as Prometheus sees it. */
export interface DocumentedMetric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** Every metric of the verifier, in the order of its answer. */
export function documentedMetrics(text: string = scrape()): DocumentedMetric[] {
  const lines = text.split("\n");
  return lines.flatMap((line) => {
    const [, name, help] = /^# HELP (\S+) (.*)$/.exec(line) ?? [];
    if (name === undefined || help === undefined) return [];
    const type = lines.find((other) => other.startsWith(`# TYPE ${name} `))?.split(" ")[3] ?? "";
    const samples = lines.filter(
      (other) => /^(?!#)[^ {]+/.exec(other)?.[0].replace(/_(bucket|sum|count)$/, "") === name,
    );
    const labels = samples.flatMap((sample) => [...sample.matchAll(/[{,](\w+)="/g)].map(([, label = ""]) => label));
    return [{ name, type, help, labels: [...new Set(labels)].filter((label) => label !== "le") }];
  });
}

/** The answer of a verifier in which everything has happened once, so that every metric has its labels. */
function scrape(): string {
  const metrics = new Metrics({
    cached: () => ({ accepted: { entries: 1, bytes: 1 }, refused: { entries: 1, bytes: 1 } }),
    cacheCounts: () => ({ acceptedHits: 1, refusedHits: 1, misses: 1, shared: 1 }),
    pending: () => 1,
    reviewsInFlight: () => 1,
    keys: () => [{ issuer: "default", count: 1, loadedAtMs: 0 }],
    issuers: () => [{ issuer: "default", ready: true }],
    certificateNotAfterMs: () => 0,
    ready: () => true,
    connections: () => ({ open: 1, limit: 1, refused: { address: 1, full: 1 }, displaced: 1 }),
  });
  metrics.accepted("default");
  metrics.unchecked();
  for (const reason of Object.keys(refusals) as RefusalReason[]) metrics.refused(reason);
  metrics.reviewed("accepted", 1);
  metrics.verified(1);
  metrics.keysRefreshed("default", true);
  metrics.stop();
  return metrics.text();
}

/** The page. */
export function metricsPage(metrics: readonly DocumentedMetric[] = documentedMetrics()): string {
  const rows = metrics.map(({ name, type, help, labels }) =>
    row([`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(", "), help]),
  );
  return `# Metrics

<!-- Generated from verifier/metrics.ts by \`npm run generate\`. -->

The [verifier](verifier.md) answers \`/metrics\` on port 8081 in the text format of Prometheus. [Pods of \`verifierMonitoring\`](settings.md#the-verifier)
may read it. No label has a part of a token. The values of \`reason\` are those of [refused requests](errors.md#refused-requests).

| metric | type | labels | meaning |
|---|---|---|---|
${rows.join("\n")}
`;
}
