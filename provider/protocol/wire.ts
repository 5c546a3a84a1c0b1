/**
 * The wire format of property values: JSON with marks for secrets, unknown values, resources and outputs.
 *
 * @see https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/plugin/rpc.go
 */
const signature = "4dabf18193072939515e22adb298388d";
const secretMark = "1b47061264138c4ac30d75fd1eb44270";
const resourceMark = "5cf8f73096256a8f31e491e813e4eb8e";
const outputMark = "d0e6a833031e9bbcd3f4e8bde6ca49a4";

/** The mark of an unknown value of any type. */
export const unknownOnWire = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Marks of unknown values: of any type or a string, boolean, number, array, asset, archive, object. */
const unknownMarks = new Set([
  unknownOnWire,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** An unknown value. */
export const unknown: unique symbol = Symbol("unknown");

export type Value = string | number | boolean | null | undefined | typeof unknown | readonly Value[] | ValueObject;
export type ValueObject = { readonly [key: string]: Value };

/** JSON as google.protobuf.Struct carries it. */
export type Wire = string | number | boolean | null | readonly Wire[] | WireObject;
export type WireObject = { readonly [key: string]: Wire };

/** Removes the marks. A secret becomes its value, a resource its id, an output its value. */
export function decode(wire: Wire | undefined): Value {
  if (typeof wire === "string") return unknownMarks.has(wire) ? unknown : wire;
  if (typeof wire !== "object" || wire === null) return wire;
  if (isList(wire)) return wire.map(decode);
  switch (wire[signature]) {
    case secretMark:
      return decode(wire.value);
    case outputMark:
      return "value" in wire ? decode(wire.value) : unknown;
    case resourceMark:
      return decode(wire.id ?? wire.urn);
    default:
      return decodeObject(wire);
  }
}

export function decodeObject(wire: WireObject): ValueObject {
  return Object.fromEntries(Object.entries(wire).map(([key, value]) => [key, decode(value)]));
}

/** Encodes a value. Undefined fields are left out, other undefined values become null, and unknown values become marks. */
export function encode(value: Value): Wire {
  if (value === unknown) return unknownOnWire;
  if (value === undefined) return null;
  if (typeof value !== "object" || value === null) return value;
  if (isList(value)) return value.map(encode);
  const entries = Object.entries(value as ValueObject).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.map(([key, inner]) => [key, encode(inner)]));
}

/** Marks a value as secret, unless it is marked already or unknown. */
export function secret(wire: Wire): Wire {
  if (hasMark(wire, secretMark) || wire === unknownOnWire) return wire;
  if (hasMark(wire, outputMark)) return { ...(wire as WireObject), secret: true };
  return { [signature]: secretMark, value: wire };
}

function hasMark(wire: Wire, mark: string): boolean {
  return typeof wire === "object" && wire !== null && !isList(wire) && wire[signature] === mark;
}

/** Whether a value is unknown or contains an unknown value. */
export function hasUnknown(value: Value): boolean {
  if (value === unknown) return true;
  if (typeof value !== "object" || value === null) return false;
  return (isList(value) ? value : Object.values(value as ValueObject)).some(hasUnknown);
}

function isList<T>(value: readonly T[] | { readonly [key: string]: T }): value is readonly T[] {
  return Array.isArray(value);
}
