import { X509Certificate } from "node:crypto";
import { isProviderError } from "../../protocol/errors.ts";
import { type CheckFailure, type Fields, same } from "../../protocol/fields.ts";
import type { Changes, Context } from "../../protocol/resource.ts";
import { pemBlocks } from "../material.ts";
import { AkeylessApi, publicApi } from "./api.ts";
import { isUnanswered } from "./transport.ts";

/** Where the objects of an account are managed. */
export interface ApiInputs {
  readonly apiUrl: string;
  readonly caPem?: string;
}

export const apiFields: Fields = {
  apiUrl: { type: "string", default: publicApi },
  caPem: { type: "string" },
};

/** Outputs from which `delete` and `read` know where to look. */
export function apiOutputs({ apiUrl = publicApi, caPem = "" }: Partial<ApiInputs>) {
  return { apiUrl, caPem };
}

/** The output by which `read` hands to `diff` what was changed outside this stack. */
export const driftField = {
  // What the last refresh found changed outside this stack.
  drift: { type: "strings" },
} as const satisfies Fields;

/** The API that an object is at. The CA may have changed since. */
export function here({ inputs, outputs }: ObjectState): Partial<ApiInputs> {
  return { apiUrl: outputs.apiUrl ?? inputs.apiUrl, caPem: inputs.caPem ?? outputs.caPem };
}

/** As much of an object's state as every type has. */
interface ObjectState {
  readonly inputs: Partial<ApiInputs>;
  readonly outputs: Partial<ApiInputs>;
}

export function apiFor({ apiUrl, caPem }: Partial<ApiInputs>, context: Context): AkeylessApi {
  return new AkeylessApi({ url: apiUrl ?? publicApi, caPem }, context, { timeoutMs: context.timeoutMs });
}

/** A path with its leading slash. Akeyless takes paths with it and without it, and answers them without it. */
export function absolute(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** Whether two names are the same path of Akeyless. */
export function samePath(left: string | undefined, right: string | undefined): boolean {
  return left !== undefined && right !== undefined && absolute(left) === absolute(right);
}

/** What is wrong with a base URL or its CA. */
export function checkEndpoint(property: string, url: string | undefined, caPem: string | undefined): CheckFailure[] {
  const failures: CheckFailure[] = [];
  const parsed = url !== undefined && URL.canParse(url) ? new URL(url) : undefined;
  if (url !== undefined && (parsed?.protocol !== "https:" || parsed.username || parsed.search || parsed.hash)) {
    const reason = `"${property}" must be an https URL without credentials, query and fragment, such as https://gateway.example.com:8000/api/v2: credentials travel to it.`;
    failures.push({ property, reason });
  }
  if (caPem && !isBundle(caPem)) {
    failures.push({
      property: "caPem",
      reason: '"caPem" must hold CA certificates, PEM (-----BEGIN CERTIFICATE-----).',
    });
  }
  return failures;
}

function isBundle(pem: string): boolean {
  const blocks = pemBlocks(pem);
  try {
    return blocks.length > 0 && blocks.every((block) => new X509Certificate(block).subject !== null);
  } catch {
    return false;
  }
}

/** A name or path at Akeyless, as far as it is sure to be refused. */
export function checkName(property: string, name: string | undefined): CheckFailure[] {
  return name !== undefined && name.trim() === "" ? [{ property, reason: `"${property}" is empty.` }] : [];
}

/** Every property of which the new inputs are not known or differ from the old ones. */
export function changed(
  names: readonly string[],
  old: object,
  known: object,
  unknown: ReadonlySet<string>,
  kind: "update" | "replace" = "update",
): Changes {
  const before = old as Record<string, unknown>;
  const after = known as Record<string, unknown>;
  return Object.fromEntries(
    names.filter((name) => unknown.has(name) || !same(before[name], after[name])).map((name) => [name, kind]),
  );
}

/** Like `changed`, for properties that are paths: spelling one with or without its leading slash changes nothing. */
export function moved(
  names: readonly string[],
  old: object,
  known: object,
  unknown: ReadonlySet<string>,
  kind: "update" | "replace" = "update",
): Changes {
  const before = old as Record<string, string | undefined>;
  const after = known as Record<string, string | undefined>;
  const different = Object.keys(changed(names, old, known, unknown));
  return Object.fromEntries(
    different.filter((name) => unknown.has(name) || !samePath(before[name], after[name])).map((name) => [name, kind]),
  );
}

/** Days before an end, as events of the product's answers name them; sorted. */
export function eventDays(events: readonly { readonly seconds_before?: number | null }[] | null | undefined): string[] {
  return (events ?? []).map(({ seconds_before: seconds }) => String(Math.round((seconds ?? 0) / 86_400))).sort();
}

/** The warning about an object that another account keeps when a stack moves to the API of a new one. */
export function stays(what: string, apiUrl: string | undefined): string {
  return `${what} does not exist at the new API, so it is created there. It stays at ${apiUrl}: delete it if nothing uses it.`;
}

/** What a refresh finds of an object: gone, unseen, or there, with the names of what was changed as the output `drift`. */
export async function refreshed<Outputs extends object, Live>(
  what: string,
  state: { readonly id: string; readonly outputs: Outputs },
  context: Context,
  look: () => Promise<Live | undefined>,
  differences: (live: Live) => string[],
) {
  const live = await glance(what, context, look);
  if (live === undefined) return undefined;
  if (live === "unseen") return { id: state.id, outputs: state.outputs };
  const drift = differences(live);
  if (drift.length > 0) context.log.info(`${what} was changed outside this stack: ${drift.join(", ")}.`);
  return { id: state.id, outputs: { ...state.outputs, drift } };
}

/**
 * Looks at the product for a refresh. Where it cannot be asked, that is a warning, and nothing is known to have changed;
 * that the caller may not ask is an error.
 */
export async function glance<T>(what: string, context: Context, look: () => Promise<T>): Promise<T | "unseen"> {
  try {
    return await look();
  } catch (error) {
    if (!isUnanswered(error) && !isProviderError(error, "AKEYLESS_BUSY", "AKEYLESS_FAILED")) throw error;
    context.log.warn(`${what} was not looked at. ${(error as Error).message}`);
    return "unseen";
  }
}
