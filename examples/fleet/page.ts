/** The report as one HTML file: no script, nothing loaded from elsewhere, light and dark as the reader has it. */
import { style } from "./pageStyle.ts";
import type { Condition, CredentialReport, FleetReport, StackReport } from "./report.ts";
import type { Status } from "./run.ts";
import { changesInWords, duration, statusWords } from "./words.ts";

const day = 86_400_000;
/** What needs a look comes first. */
const order: readonly Status[] = ["failed", "timedOut", "interrupted", "notStarted", "succeeded"];
const tones: Readonly<Record<Status, string>> = {
  succeeded: "good",
  failed: "bad",
  timedOut: "bad",
  interrupted: "warn",
  notStarted: "quiet",
};
const conditions: Readonly<Record<Condition, { word: string; tone: string }>> = {
  expired: { word: "ended", tone: "bad" },
  due: { word: "renewal due", tone: "warn" },
  valid: { word: "valid", tone: "good" },
  endless: { word: "no end", tone: "quiet" },
};

/** Renders the page. Everything from the report is escaped. */
export function page(report: FleetReport): string {
  const { operation, engine, started, ended, stacks } = report;
  const failed = stacks.filter(({ status }) => status !== "succeeded").length;
  const sorted = [...stacks].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  const title = `Fleet report: ${operation}`;
  const took = duration((Date.parse(ended) - Date.parse(started)) / 1000);
  const how = engine === "pulumi" ? "Pulumi's Automation API" : "the embedded engine";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(`${title}, ${when(ended)}`)}</title>
<style>${style}</style>
</head>
<body>
<main>
<header>
<h1>Fleet report</h1>
<p><code>${escaped(operation)}</code> on ${count(stacks.length, "cluster")} by ${how}, ${when(started)}, in ${took}${
    report.interrupted ? `. ${badge("interrupted", "warn")}` : ""
  }</p>
</header>
<section class="tiles" aria-label="Summary">
${tile("Succeeded", `${stacks.length - failed} of ${stacks.length}`, failed > 0 ? "" : "good")}
${tile("Need a look", String(failed), failed > 0 ? "bad" : "good")}
${credentialTiles(report)}
</section>
<section>
<h2>Clusters</h2>
<div class="scroll"><table>
<thead><tr><th>Cluster</th><th>Result</th><th>What happened</th><th class="number">Time</th><th>API server</th><th>Kubernetes</th></tr></thead>
<tbody>
${sorted.map((stack) => stackRow(stack, report)).join("\n")}
</tbody>
</table></div>
</section>
<section>
<h2>Credentials, the soonest end first</h2>
${credentialTable(report)}
</section>
<footer>Times are UTC, as of ${when(ended)}. The page holds no secrets: a fingerprint tells a credential without being one.</footer>
</main>
</body>
</html>
`;
}

function credentialTiles({ credentials, ended }: FleetReport): string {
  const attention = credentials.filter(({ condition }) => condition === "expired" || condition === "due").length;
  const next = credentials.find(({ notAfter }) => notAfter !== "");
  return [
    tile("Credentials", String(credentials.length), ""),
    tile("Ended or due for renewal", String(attention), attention > 0 ? "warn" : "good"),
    next
      ? tile("Soonest end", fromNow(next.notAfter, ended), conditions[next.condition].tone)
      : tile("Soonest end", "none", "quiet"),
  ].join("\n");
}

function stackRow(stack: StackReport, { operation }: FleetReport): string {
  const { cluster, status, seconds, changes, error, host, kubernetes, distribution } = stack;
  const what = error
    ? `<span class="error">${escaped(error.message)}</span>`
    : status === "succeeded" && operation !== "report"
      ? escaped(changesInWords(changes, operation))
      : "";
  const version = [kubernetes, distribution]
    .filter((one) => one !== "" && !["unknown", "Kubernetes"].includes(one))
    .join(", ");
  const cells = [
    `<th scope="row">${escaped(cluster)}</th>`,
    `<td>${badge(statusWords[status], tones[status])}</td>`,
    `<td class="what">${what}</td>`,
    `<td class="number">${status === "notStarted" ? "" : duration(seconds)}</td>`,
    `<td class="host">${escaped(host)}</td>`,
    `<td class="date">${escaped(version)}</td>`,
  ];
  return `<tr>${cells.join("")}</tr>`;
}

function credentialTable(report: FleetReport): string {
  if (report.credentials.length === 0) return "<p>No stack has credentials.</p>";
  return `<div class="scroll"><table>
<thead><tr><th>Cluster</th><th>Credential</th><th>Subject and fingerprint</th><th>State</th><th>Valid until</th><th>Renewed from</th><th class="life">Life</th></tr></thead>
<tbody>
${report.credentials.map((credential) => credentialRow(credential, report.ended)).join("\n")}
</tbody>
</table></div>`;
}

function credentialRow(credential: CredentialReport, now: string): string {
  const { cluster, name, kind, subject, fingerprint, notAfter, renewAfter, condition } = credential;
  const { word, tone } = conditions[condition];
  const end = notAfter ? `${date(notAfter)} <small>${fromNow(notAfter, now)}</small>` : "does not end";
  const cells = [
    `<th scope="row">${escaped(cluster)}</th>`,
    `<td>${escaped(name)} <small>${escaped(kind)}</small></td>`,
    `<td class="subject">${breakable(subject)} <small title="${escaped(fingerprint)}"><code>${escaped(shortened(fingerprint))}</code></small></td>`,
    `<td>${badge(word, tone)}</td>`,
    `<td class="date">${end}</td>`,
    `<td class="date">${renewAfter ? date(renewAfter) : ""}</td>`,
    `<td class="life">${lifeBar(credential, now)}</td>`,
  ];
  return `<tr>${cells.join("")}</tr>`;
}

/** A bar from begin to end of a credential: what has passed, and the stretch in which an `up` renews it. */
function lifeBar({ notBefore, notAfter, renewAfter, condition }: CredentialReport, now: string): string {
  if (!notBefore || !notAfter) return "";
  const [begin, end] = [Date.parse(notBefore), Date.parse(notAfter)];
  const share = (time: string) => Math.min(100, Math.max(0, ((Date.parse(time) - begin) / (end - begin)) * 100));
  const passed = share(now).toFixed(1);
  const renewal = renewAfter ? share(renewAfter).toFixed(1) : "100";
  const label = `${Math.round(Number(passed))} % of its life has passed`;
  return `<svg class="bar ${conditions[condition].tone}" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="${label}"><title>${label}</title><rect class="track" width="100" height="8"/><rect class="renewal" x="${renewal}" width="${(100 - Number(renewal)).toFixed(1)}" height="8"/><rect class="passed" width="${passed}" height="8"/></svg>`;
}

function tile(label: string, value: string, tone: string): string {
  return `<div class="tile ${tone}"><strong>${escaped(value)}</strong><span>${escaped(label)}</span></div>`;
}

function badge(word: string, tone: string): string {
  return `<span class="badge ${tone}">${escaped(word)}</span>`;
}

function fromNow(time: string, now: string): string {
  const distance = Date.parse(time) - Date.parse(now);
  const words = span(Math.abs(distance));
  return distance < 0 ? `${words} ago` : `in ${words}`;
}

function span(milliseconds: number): string {
  if (milliseconds >= 2 * day) return count(Math.floor(milliseconds / day), "day");
  const hours = Math.floor(milliseconds / 3_600_000);
  return hours >= 2 ? count(hours, "hour") : count(Math.max(1, Math.round(milliseconds / 60_000)), "minute");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function when(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 16)}`;
}

function date(time: string): string {
  return `<time datetime="${escaped(time)}">${escaped(when(new Date(time).toISOString()))}</time>`;
}

/** Long names break after their colons and dashes rather than anywhere. */
function breakable(text: string): string {
  return escaped(text).replaceAll(/[:-]/g, (character) => `${character}<wbr>`);
}

function shortened(fingerprint: string): string {
  return fingerprint.length > 24 ? `${fingerprint.slice(0, 23)}…` : fingerprint;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
