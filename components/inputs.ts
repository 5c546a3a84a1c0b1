/**
 * Arguments as inputs of a component, which state, previews and policies show. Omit arguments that are resources or depend on
 * credentials: the component and its children would wait for them.
 */
export function inputsOf<Args extends object, Omitted extends keyof Args>(
  args: Args,
  ...omitted: Omitted[]
): Omit<Args, Omitted> {
  return Object.fromEntries(Object.entries(args).filter(([name]) => !omitted.includes(name as Omitted))) as Omit<
    Args,
    Omitted
  >;
}
