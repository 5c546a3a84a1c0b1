/** Whether the values of a claim contain the operators `AND` or `OR`. */
export function hasOperator(values: readonly string[]): boolean {
  return values.some((value) => / (AND|OR) /.test(value));
}

/**
 * Whether one of a login's values of a claim matches one of the association's values. `?` stands for one character and `*` for any number.
 * Gateways from 4.19 on evaluate `AND` and `OR` between values, from left to right.
 *
 * @param found values of the login
 * @param values values of the association
 * @param options.operators whether the gateway evaluates `AND` and `OR`
 */
export function matches(
  found: readonly string[],
  values: readonly string[],
  { caseSensitive, operators }: { readonly caseSensitive: boolean; readonly operators: boolean },
): boolean {
  const flags = caseSensitive ? "" : "i";
  const has = (value: string) => {
    const pattern = new RegExp(`^${escaped(value.trim())}$`, flags);
    return found.some((one) => pattern.test(one));
  };
  if (!operators) return values.some(has);
  const [first = "", ...rest] = values.join(" OR ").split(/ (AND|OR) /);
  let result = has(first);
  for (let index = 0; index < rest.length; index += 2) {
    const next = has(rest[index + 1] ?? "");
    result = rest[index] === "AND" ? result && next : result || next;
  }
  return result;
}

function escaped(value: string): string {
  return value
    .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
}
