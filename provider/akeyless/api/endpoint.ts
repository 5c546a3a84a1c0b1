import { isCertificate, pemBlocks } from "../../../kubernetes/pem.ts";
import { isProviderError } from "../../protocol/errors.ts";
import { type CheckFailure, type Fields, same } from "../../protocol/fields.ts";
import type { Changes, Context } from "../../protocol/resource.ts";
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

/** Outputs that say for `delete` and `read` which API has the object. */
export function apiOutputs({ apiUrl = publicApi, caPem = "" }: Partial<ApiInputs>) {
  return { apiUrl, caPem };
}

/** The output with which `read` reports changes outside of this stack to `diff`. */
export const driftField = {
  // Fields that the last refresh found changed outside of this stack.
  drift: { type: "strings" },
} as const satisfies Fields;

/** The API that has an object, by its state. The CA comes from the inputs, since it may have changed. */
export function storedEndpoint({ inputs, outputs }: ObjectState): Partial<ApiInputs> {
  return { apiUrl: outputs.apiUrl ?? inputs.apiUrl, caPem: inputs.caPem ?? outputs.caPem };
}

/** The part of an object's state that every type has. */
interface ObjectState {
  readonly inputs: Partial<ApiInputs>;
  readonly outputs: Partial<ApiInputs>;
}

export function apiFor({ apiUrl, caPem }: Partial<ApiInputs>, context: Context): AkeylessApi {
  return new AkeylessApi({ url: apiUrl ?? publicApi, caPem }, context, { timeoutMs: context.timeoutMs });
}

/** A path with its leading slash. Akeyless accepts paths with and without it, and answers them without it. */
export function absolute(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** Whether two names are the same path of Akeyless. */
export function samePath(left: string | undefined, right: string | undefined): boolean {
  return left !== undefined && right !== undefined && absolute(left) === absolute(right);
}

/** Checks a base URL and its CA. */
export function checkEndpoint(property: string, url: string | undefined, caPem: string | undefined): CheckFailure[] {
  const failures: CheckFailure[] = [];
  const parsed = url !== undefined && URL.canParse(url) ? new URL(url) : undefined;
  if (url !== undefined && (parsed?.protocol !== "https:" || parsed.username || parsed.search || parsed.hash)) {
    const reason = `"${property}" must be an https URL without credentials, query and fragment, such as https://gateway.example.com:8000/api/v2: credentials travel to it.`;
    failures.push({ property, reason });
  }
  if (caPem && !isCertificateBundle(caPem)) {
    failures.push({
      property: "caPem",
      reason: '"caPem" must hold CA certificates, PEM (-----BEGIN CERTIFICATE-----).',
    });
  }
  return failures;
}

function isCertificateBundle(pem: string): boolean {
  const blocks = pemBlocks(pem);
  return blocks.length > 0 && blocks.every(({ text }) => isCertificate(text));
}

/** Checks that a name or path is not empty. */
export function checkName(property: string, name: string | undefined): CheckFailure[] {
  return name !== undefined && name.trim() === "" ? [{ property, reason: `"${property}" is empty.` }] : [];
}

/** The properties whose new inputs are unknown or differ from the old ones. */
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

/** Like `changed`, for properties that are paths. A leading slash makes no difference. */
export function changedPaths(
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

/** Days before the expiry at which there are events, from the seconds in Akeyless's answers; sorted. */
export function eventDays(events: readonly { readonly seconds_before?: number | null }[] | null | undefined): string[] {
  return (events ?? []).map(({ seconds_before: seconds }) => String(Math.round((seconds ?? 0) / 86_400))).sort();
}

/** The warning about an object that stays in the old account when a stack moves to the API of another account. */
export function orphanWarning(what: string, apiUrl: string | undefined): string {
  return `${what} does not exist at the new API, so it is created there. It stays at ${apiUrl}: delete it if nothing uses it.`;
}

/** The result of a refresh: undefined for a deleted object, the state for one that could not be read, or the state with its drift. */
export async function refreshObject<Outputs extends object, Live>(
  what: string,
  state: { readonly id: string; readonly outputs: Outputs },
  context: Context,
  look: () => Promise<Live | undefined>,
  differences: (live: Live) => string[],
) {
  const live = await readForRefresh(what, context, look);
  if (live === undefined) return undefined;
  if (live === "unseen") return { id: state.id, outputs: state.outputs };
  const drift = differences(live);
  if (drift.length > 0) context.log.info(`${what} was changed outside this stack: ${drift.join(", ")}.`);
  return { id: state.id, outputs: { ...state.outputs, drift } };
}

/**
 * Reads an object for a refresh. "unseen" with a warning if Akeyless cannot be reached. A missing right is an error.
 */
export async function readForRefresh<T>(what: string, context: Context, look: () => Promise<T>): Promise<T | "unseen"> {
  try {
    return await look();
  } catch (error) {
    if (!isUnanswered(error) && !isProviderError(error, "AKEYLESS_BUSY", "AKEYLESS_FAILED")) throw error;
    context.log.warn(`${what} was not looked at. ${(error as Error).message}`);
    return "unseen";
  }
}
