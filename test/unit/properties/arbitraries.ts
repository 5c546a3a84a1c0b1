/** Inputs that a parser meets when somebody else decides what it reads. */
import fc from "fast-check";

/** How often a property is tried: in CI as often as it names, elsewhere a fifth of that, for an answer within seconds. */
export const runs = (inCi: number) => ({ numRuns: process.env.CI ? inCi : Math.ceil(inCi / 5) });

/** Any UTF-16, also what is no Unicode. */
const utf16 = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 })
  .map((units) => String.fromCharCode(...units));

/** Text of every kind, with fragments in it that the parser looks for. */
export function textWith(...fragments: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.constantFrom("", " ", "\n", "\r\n", "\0", ...fragments),
    fc.string({ unit: "binary" }),
    utf16,
  );
  return fc.oneof(
    utf16,
    fc.array(piece, { maxLength: 10 }).map((pieces) => pieces.join("")),
  );
}

/** A value of JSON, with names such as `__proto__` among those of its objects. */
export const json = fc.jsonValue({ maxDepth: 3, noUnicodeString: false }) as fc.Arbitrary<Json>;

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** A good value with up to three of its parts, at any depth, taken out or exchanged for anything. */
export function spoiled(good: Json): fc.Arbitrary<Json> {
  const change = fc.record({ path: fc.constantFrom(...pathsOf(good)), other: fc.option(json, { nil: undefined }) });
  return fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) => changes.reduce((value, { path, other }) => changed(value, path, other) ?? null, good));
}

type Path = readonly (string | number)[];

function pathsOf(value: Json): Path[] {
  if (typeof value !== "object" || value === null) return [[]];
  const inner = Object.entries(value).flatMap(([name, one]) => {
    const key = Array.isArray(value) ? Number(name) : name;
    return pathsOf(one as Json).map((path) => [key, ...path]);
  });
  return [[], ...inner];
}

function changed(value: Json, path: Path, other: Json | undefined): Json | undefined {
  const [first, ...rest] = path;
  if (first === undefined) return other;
  // Another change can have taken this part out.
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return value.flatMap((one: Json, index) => {
      const kept = index === first ? changed(one, rest, other) : one;
      return kept === undefined ? [] : [kept];
    });
  }
  const entries = Object.entries(value).flatMap(([name, one]): [string, Json][] => {
    const kept = name === first ? changed(one, rest, other) : one;
    return kept === undefined ? [] : [[name, kept]];
  });
  return Object.fromEntries(entries);
}

/** Bytes that are good but for one of them, for a cut, or for a byte too many. */
export function damaged(good: Buffer): fc.Arbitrary<Buffer> {
  const at = fc.integer({ min: 0, max: good.length - 1 });
  return fc.oneof(
    fc.tuple(at, fc.integer({ min: 1, max: 255 })).map(([index, bits]) => {
      const copy = Buffer.from(good);
      copy[index] = (copy[index] ?? 0) ^ bits;
      return copy;
    }),
    at.map((length) => good.subarray(0, length)),
    fc.tuple(at, fc.integer({ min: 0, max: 255 })).map(([index, byte]) => {
      return Buffer.concat([good.subarray(0, index), Buffer.of(byte), good.subarray(index)]);
    }),
  );
}

/** Runs work, and answers what it threw; undefined if it did not. */
export function thrownBy(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Error that a promise was rejected with; undefined if it was fulfilled. */
export async function rejectionOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
