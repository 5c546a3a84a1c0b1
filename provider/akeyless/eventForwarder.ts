import { isProviderError } from "../protocol/errors.ts";
import type { Context } from "../protocol/resource.ts";
import type { AkeylessApi } from "./api/api.ts";
import { absolute } from "./api/endpoint.ts";

const answerShape = {
  event_forwarder: { is_enabled: "boolean", event_types: ["string"], paths: ["string"] },
} as const;

const noticeType = "certificate-pending-expiration";

/**
 * Warns if notices about a certificate would not be delivered. Akeyless raises events, and an Event Forwarder sends them. The API cannot
 * list Event Forwarders, so an input names one.
 */
export async function warnUndelivered(
  api: AkeylessApi,
  item: string,
  forwarder: string | undefined,
  context: Context,
): Promise<void> {
  const gap = forwarder === undefined ? "no Event Forwarder is named" : await problemOf(api, item, forwarder);
  if (gap === undefined) return;
  const remedy =
    forwarder === undefined
      ? 'Create one in Akeyless for events of the type "certificate-pending-expiration" and set eventForwarder to its name.'
      : "Change the Event Forwarder in Akeyless, or name another one.";
  context.log.warn(`Notices about the certificate "${item}" may not be delivered: ${gap}. ${remedy}`);
}

async function problemOf(api: AkeylessApi, item: string, name: string): Promise<string | undefined> {
  const what = `the Event Forwarder "${name}"`;
  try {
    const live = (await api.find("/event-forwarder-get", { name }, answerShape))?.event_forwarder;
    if (!live) return `${what} does not exist`;
    if (live.is_enabled === false) return `${what} is disabled`;
    const types = (live.event_types ?? []).map((type) => type.replaceAll("_", "-"));
    if (types.length > 0 && !types.includes(noticeType))
      return `${what} does not send events of the type "${noticeType}"`;
    const paths = live.paths ?? [];
    if (paths.length > 0 && !paths.some((path) => covers(path, item))) return `${what} does not cover its path`;
    return undefined;
  } catch (error) {
    if (!isProviderError(error)) throw error;
    if (error.code === "CANCELLED") throw error;
    return `${what} could not be checked (${error.message})`;
  }
}

/** Paths of event sources end in a wildcard, such as `/prod/*`. */
function covers(path: string, item: string): boolean {
  const whole = absolute(item);
  const [start = "", ...others] = absolute(path).split("*");
  const end = others.pop();
  if (end === undefined) return whole === start;
  let at = whole.startsWith(start) ? start.length : -1;
  for (const part of others) {
    const found = at < 0 ? -1 : whole.indexOf(part, at);
    at = found < 0 ? -1 : found + part.length;
  }
  return at >= 0 && whole.length - at >= end.length && whole.endsWith(end);
}
