/** Parts that the objects of an account have in common: differences, refresh, description and deletion protection. */
import { isProviderError, ProviderError } from "../../protocol/errors.ts";
import { type Fields, same } from "../../protocol/fields.ts";
import type { Changes, Context } from "../../protocol/resource.ts";
import type { AkeylessApi } from "./api.ts";
import { type ApiInputs, type ObjectState, samePath, storedApi } from "./endpoint.ts";
import { isUnanswered } from "./transport.ts";

/** The output in which `read` lists, for `diff`, the fields that were changed outside of this stack. */
export const driftField = {
  drift: { type: "strings" },
} as const satisfies Fields;

/** Inputs that most objects have. */
export interface Described {
  readonly description?: string;
  readonly deleteProtection?: boolean;
}

/** Request fields of description and deletion protection. Deletion protection is a string in requests. An unset input has no field. */
export function describedBody({ description, deleteProtection }: Described): object {
  return {
    ...(description !== undefined && { description }),
    ...(deleteProtection !== undefined && { delete_protection: String(deleteProtection) }),
  };
}

/** Description and deletion protection for an update. An input that was set before and is unset now gets the empty value. */
export function describedUpdate(given: Described, before: Described): Described {
  return {
    description: given.description ?? (before.description === undefined ? undefined : ""),
    deleteProtection: given.deleteProtection ?? (before.deleteProtection === undefined ? undefined : false),
  };
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

/** Changes that every type can have: drift that the last refresh found, and another API. */
export function commonChanges(state: ObjectState, known: object, unknown: ReadonlySet<string>): Changes {
  return {
    ...(state.outputs.drift?.length ? { drift: "update" as const } : {}),
    ...changed(["apiUrl"], state.inputs, known, unknown),
  };
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

/** The error of an import. No type supports imports, because Akeyless returns no object completely. */
export function notImportable(message: string, remedy: string): ProviderError {
  return new ProviderError("AKEYLESS_NOT_IMPORTABLE", message, remedy);
}

/** The result of a refresh: undefined for a deleted object, the state for one that could not be read, or the state with its drift. */
export async function refreshObject<Outputs extends ObjectState["outputs"], Live>(
  what: string,
  state: { readonly id: string; readonly inputs: Partial<ApiInputs>; readonly outputs: Outputs },
  context: Context,
  read: (api: AkeylessApi) => Promise<Live | undefined>,
  differences: (live: Live) => string[],
) {
  const live = await readForRefresh(what, context, () => read(storedApi(state, context)));
  if (live === undefined) return undefined;
  if (live === "unseen") return { id: state.id, outputs: state.outputs };
  const drift = differences(live);
  if (drift.length > 0) context.log.info(`${what} was changed outside this stack: ${drift.join(", ")}.`);
  return { id: state.id, outputs: { ...state.outputs, drift } };
}

/**
 * Reads an object for a refresh. Returns "unseen", with a warning, if Akeyless cannot be reached, limits the rate of calls, or fails. A missing
 * right is an error.
 */
export async function readForRefresh<T>(what: string, context: Context, read: () => Promise<T>): Promise<T | "unseen"> {
  try {
    return await read();
  } catch (error) {
    if (!isUnanswered(error) && !isProviderError(error, "AKEYLESS_BUSY", "AKEYLESS_FAILED")) throw error;
    context.log.warn(`${what} was not checked. ${(error as Error).message}`);
    return "unseen";
  }
}
