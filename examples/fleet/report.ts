export interface StackReport {
  readonly cluster: string;
  readonly stack: string;
  readonly status: "succeeded" | "failed" | "timed out" | "interrupted" | "not started";
  readonly error?: string;
  readonly seconds: number;
  /** Resources by operation, as Pulumi counts them. */
  readonly changes: Readonly<Record<string, number>>;
  /** The stack's output `credentials`, as last saved. */
  readonly credentials: Readonly<Record<string, Credential>>;
}

/** Dates are in ISO 8601; empty if the credential does not expire. */
interface Credential {
  readonly kind: string;
  readonly subject: string;
  readonly notAfter: string;
  readonly renewAfter: string;
}

const style = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif } table { border-collapse: collapse }
th, td { padding: .3rem 1rem .3rem 0; text-align: left } tr { border-bottom: 1px solid #8886 } .alert { color: #c22 }`;

/** Renders all credentials by expiry date as an HTML page without scripts and external files. */
export function expiryPage(stacks: readonly StackReport[], now: Date): string {
  const expiry = ({ notAfter }: Credential) => (notAfter ? Date.parse(notAfter) : Number.MAX_VALUE);
  const rows = stacks
    .flatMap(({ cluster, credentials }) => Object.entries(credentials).map((entry) => [cluster, ...entry] as const))
    .sort(([, , a], [, , b]) => expiry(a) - expiry(b))
    .map(([cluster, name, credential]) => {
      const { kind, subject, notAfter, renewAfter } = credential;
      const state = stateOf(credential, now);
      const cells = [cluster, name, kind, subject, minute(notAfter) || "never", minute(renewAfter), state];
      return row(cells, state === "valid" ? "" : "alert");
    });
  const failed = stacks.filter(({ status }) => status !== "succeeded");
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Credentials by expiry</title><style>${style}</style>
<h1>Credentials by expiry</h1>
<p>${stacks.length} stacks, as of ${minute(now.toISOString())} UTC.</p>
<table>${failed.map(({ cluster, status, error = "" }) => row([cluster, status, error], "alert")).join("\n")}</table>
<table>${row(["Cluster", "Credential", "Kind", "Subject", "Expires", "Renewed from", "State"], "heads")}
${rows.join("\n")}
</table></html>
`;
}

function stateOf({ notAfter, renewAfter }: Credential, now: Date): "expired" | "renewal due" | "valid" {
  if (notAfter && Date.parse(notAfter) <= now.getTime()) return "expired";
  return renewAfter && Date.parse(renewAfter) <= now.getTime() ? "renewal due" : "valid";
}

function minute(time: string): string {
  return time && new Date(time).toISOString().slice(0, 16).replace("T", " ");
}

function row(cells: readonly string[], style: string): string {
  const escaped = cells.map((cell) => cell.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`));
  return `<tr class="${style}">${escaped.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}
