import { randomBytes } from "node:crypto";

/** The path of an object, by which it is stored. A request may omit its leading slash. */
export function pathOf(name: string): string {
  return name.startsWith("/") ? name : `/${name}`;
}

/** Answers name auth methods and roles without the leading slash. */
export function answered(path: string): string {
  return path.replace(/^\//, "");
}

/** An id in the product's form: `p-` and 14 letters or digits for an access id. */
export function idOf(prefix: string, length = 14): string {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  return `${prefix}${[...randomBytes(length)].map((byte) => letters[byte % letters.length]).join("")}`;
}

/** Expiration events of an answer. An empty list is absent. */
export function events(days: readonly string[]): { expiration_events?: readonly { seconds_before: number }[] } {
  if (days.length === 0) return {};
  return { expiration_events: days.map((day) => ({ seconds_before: Number(day) * 86_400 })) };
}
