/** Expiry of credentials, in words relative to the current time. */
import type { Terminal } from "./command.ts";
import { paint } from "./table.ts";

/** Expiry of one credential. */
export interface Expiry {
  /** Key of the credential in the output `credentials`. */
  readonly credential: string;
  /** User name of its holder. */
  readonly subject: string;
  /** RFC 3339; "" if the credential does not expire or if its expiry is unknown. */
  readonly notAfter: string;
  /** Time from which the next `pulumi up` renews it, RFC 3339; absent if nothing renews it. */
  readonly renewAfter?: string;
  /** Whether the expiry is unknown. @default false */
  readonly unknown?: boolean;
}

/** Says when a credential expires and whether its renewal is due. */
export function describeExpiry(expiry: Expiry, now: Date, terminal?: Terminal): string {
  const { notAfter, renewAfter, unknown } = expiry;
  if (unknown) return "the expiry is not known";
  if (notAfter === "") return "does not expire";
  const end = new Date(notAfter);
  const run = "run `pulumi up`";
  if (end <= now) {
    const remedy = renewAfter === undefined ? "" : `; ${run}`;
    return paint(terminal, "red", `expired ${relativeTime(end, now)} (${notAfter})${remedy}`);
  }
  const text = `expires ${relativeTime(end, now)} (${notAfter})`;
  const due = renewAfter !== undefined && new Date(renewAfter) <= now;
  return due ? paint(terminal, "yellow", `${text}; renewal is due, ${run}`) : text;
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
