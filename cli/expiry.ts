/** When credentials expire, as a countdown. */
import type { Terminal } from "./command.ts";
import { paint } from "./table.ts";

/** A credential's life, for the list of what expires when. */
export interface Expiry {
  readonly credential: string;
  readonly subject: string;
  /** RFC 3339; "" for one that does not expire. */
  readonly notAfter: string;
  /** Time from which the next `pulumi up` renews it, RFC 3339; absent if nothing renews it. */
  readonly renewAfter?: string;
  /** The expiry is unknown. */
  readonly unknown?: boolean;
}

/** Says when a credential expires and whether its renewal is due. */
export function describeExpiry(expiry: Expiry, now: Date, terminal?: Terminal): string {
  const { notAfter, renewAfter, unknown } = expiry;
  if (unknown) return "the expiry is not known";
  if (notAfter === "") return "does not expire";
  const end = new Date(notAfter);
  if (end <= now) return paint(terminal, "red", `expired ${relativeTime(end, now)} (${notAfter})`);
  const text = `expires ${relativeTime(end, now)} (${notAfter})`;
  const due = renewAfter !== undefined && new Date(renewAfter) <= now;
  return due ? paint(terminal, "yellow", `${text}; renewal is due, run \`pulumi up\``) : text;
}

const units = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;
const format = new Intl.RelativeTimeFormat("en", { numeric: "always" });

/** A time as "in 41 days" or "3 hours ago", in the largest unit of which there are at least two. */
export function relativeTime(time: Date, now: Date): string {
  const seconds = Math.trunc((time.getTime() - now.getTime()) / 1000);
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= 2 * size) ?? (["second", 1] as const);
  return format.format(Math.trunc(seconds / size), unit);
}
