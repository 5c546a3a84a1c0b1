/** A fault that a stack, a gateway or the verifier meets, with what is to happen. docs/faults.md lists them. */
export interface Fault {
  readonly fault: string;
  /** Required behaviour, in one sentence. */
  readonly behaviour: string;
  /** Tests that prove it: all of them have to pass. */
  readonly tests: readonly TestName[];
  /** Why no test proves it, or which part no test proves. */
  readonly gap?: string;
}

/**
 * A file below `test`, and the name of a test or of a group of tests in it: titles as they are in the source, joined by " > ". Groups around
 * them can be left out.
 */
export type TestName = readonly [file: string, name: string];

/** Faults of one kind, as a section of the document. */
export interface Section {
  readonly title: string;
  readonly faults: readonly Fault[];
}

/** Whether a test is one of those that a name stands for. @param fullName titles as vitest reports them, values filled in */
export function isNamed([, name]: TestName, fullName: string): boolean {
  const titles = name.split(" > ").map(patternOf);
  const full = fullName.split(" > ");
  return full.some((_, start) => titles.every((title, index) => title.test(full[start + index] ?? "")));
}

/** Placeholders of `test.each` stand for any text. */
function patternOf(title: string): RegExp {
  const pieces = title.split(/%[sdifjo]|\$[a-z]\w*/i).map((piece) => piece.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pieces.join(".*")}$`, "s");
}
