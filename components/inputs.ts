/**
 * Arguments as the inputs of a component: state, previews and policies show them. Arguments that are resources, or that follow from
 * credentials, are left out: the component would wait for them, and its children with it.
 */
export function inputsOf<Args extends object, Left extends keyof Args>(args: Args, ...left: Left[]): Omit<Args, Left> {
  return Object.fromEntries(Object.entries(args).filter(([name]) => !left.includes(name as Left))) as Omit<Args, Left>;
}
