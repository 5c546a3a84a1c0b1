/**
 * Looking at values of which some are not known yet. In previews, @pulumi/policy throws an UnknownValueError where one is
 * read, and turns it into a warning that the policy could not be run. These helpers look at everything else first, so that
 * an unknown value hides no violation beside it, and throw in the end, so that it never counts as a pass.
 */
import { UnknownValueError } from "@pulumi/policy";

/** Runs every check; then throws what the first one that could not be run threw. */
export function all(...checks: readonly (() => void)[]): void {
  const errors: unknown[] = [];
  for (const check of checks) {
    try {
      check();
    } catch (error) {
      errors.push(error);
    }
  }
  // What is no unknown is a mistake of the policy's, and more important.
  const mistake = errors.find((error) => !(error instanceof UnknownValueError));
  if (mistake !== undefined) throw mistake;
  if (errors.length > 0) throw errors[0];
}

/** Runs a check on every element that is there. */
export function each<T>(list: readonly T[] | undefined, check: (element: T, index: number) => void): void {
  if (!Array.isArray(list)) return;
  const checkAt = (index: number) => () => {
    const element = list[index] as T | undefined | null;
    if (element !== undefined && element !== null) check(element, index);
  };
  all(...Array.from({ length: list.length }, (_, index) => checkAt(index)));
}

/** Runs a check on every member of an object. */
export function eachEntry<T>(map: Readonly<Record<string, T>> | undefined, check: (key: string, value: T) => void) {
  if (typeof map !== "object" || map === null) return;
  all(...Object.keys(map).map((key) => () => check(key, map[key] as T)));
}

/** Whether an element is such; throws if none that is known is, and one is not known. */
export function some<T>(list: readonly T[] | undefined, test: (element: T) => boolean): boolean {
  let found = false;
  try {
    each(list, (element) => {
      found ||= test(element);
    });
  } catch (error) {
    if (!found || !(error instanceof UnknownValueError)) throw error;
  }
  return found;
}

/** Whether every element is such; throws if every one that is known is, and one is not known. */
export function every<T>(list: readonly T[] | undefined, test: (element: T) => boolean): boolean {
  return !some(list, (element) => !test(element));
}

/** What is there in the end and may be absent in a preview: absent, it is not known. */
export function present<T>(value: T | undefined | null, path: string): T {
  if (value !== undefined && value !== null) return value;
  throw new UnknownValueError(unknownString, [path]);
}

/** Stands for a string that is not known yet. Source: `UnknownStringValue` of Pulumi's SDKs. */
export const unknownString = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
