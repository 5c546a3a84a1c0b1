/**
 * Checks of values that may be unknown. In previews, @pulumi/policy throws an UnknownValueError when a policy reads an unknown value, and
 * warns that the policy could not run. These helpers first run all checks of known values, so that an unknown value hides no violation. Then
 * they throw, so that an unknown value does not pass.
 */
import { UnknownValueError } from "@pulumi/policy";

/** Runs all checks, then throws the first error. An UnknownValueError is thrown only if there is no other error. */
export function all(...checks: readonly (() => void)[]): void {
  const errors: unknown[] = [];
  for (const check of checks) {
    try {
      check();
    } catch (error) {
      errors.push(error);
    }
  }
  // Any other error is a defect of the policy.
  const defect = errors.find((error) => !(error instanceof UnknownValueError));
  if (defect !== undefined) throw defect;
  if (errors.length > 0) throw errors[0];
}

/** Runs a check on every element of a list. Skips elements that are null or undefined. */
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

/** Whether an element passes the test. Throws if no known element passes and another one is unknown. */
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

/** Whether all elements pass the test. Throws if all known elements pass and another one is unknown. */
export function every<T>(list: readonly T[] | undefined, test: (element: T) => boolean): boolean {
  return !some(list, (element) => !test(element));
}

/** Returns a value that is absent only while it is unknown. @throws UnknownValueError if it is absent */
export function present<T>(value: T | undefined | null, path: string): T {
  if (value !== undefined && value !== null) return value;
  throw new UnknownValueError(unknownString, [path]);
}

/** Pulumi's value for an unknown string (`UnknownStringValue` of its SDKs). */
const unknownString = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
