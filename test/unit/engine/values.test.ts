import { describe, expect, test } from "vitest";
import {
  changedKeys,
  containsAsset,
  containsSecret,
  containsUnknown,
  equal,
  outputSignature,
  plain,
  redacted,
  resourceSignature,
  secret,
  signatureKey,
  unknown,
  withoutSecrets,
} from "../../../engine/values.ts";

const output = (value: object) => ({ [signatureKey]: outputSignature, ...value });

describe("secrets", () => {
  test("a secret holds no other secret, and marking twice marks once", () => {
    const inner = secret({ key: secret("hush") });
    expect(inner.value).toEqual({ key: "hush" });
    expect(secret(inner)).toBe(inner);
  });

  test("laid open or masked wherever they are", () => {
    const value = { a: [secret("one"), 2], b: { c: secret({ d: "three" }) } };
    expect(withoutSecrets(value)).toEqual({ a: ["one", 2], b: { c: { d: "three" } } });
    expect(redacted(value)).toEqual({ a: ["[secret]", 2], b: { c: "[secret]" } });
    expect(containsSecret(value)).toBe(true);
    expect(containsSecret(withoutSecrets(value))).toBe(false);
  });
});

describe("plain values", () => {
  test("stand for outputs, unknown where those have none, secret where those are", () => {
    expect(plain(output({ value: 1 }))).toBe(1);
    expect(plain(output({}))).toBe(unknown);
    expect(plain([output({ value: "hush", secret: true })])).toEqual([secret("hush")]);
  });

  test("stand for references by the id, the URN of what has none, and unknown for an id that is yet to come", () => {
    const reference = { [signatureKey]: resourceSignature, urn: "urn:pulumi:s::p::t::n" };
    expect(plain({ ...reference, id: "an-id" })).toBe("an-id");
    expect(plain({ ...reference, id: "" })).toBe(unknown);
    expect(plain(reference)).toBe("urn:pulumi:s::p::t::n");
  });
});

test("unknown values and assets are found at any depth", () => {
  expect(containsUnknown({ a: [{ b: unknown }] })).toBe(true);
  expect(containsUnknown({ a: secret(unknown) })).toBe(true);
  expect(containsUnknown({ a: "b" })).toBe(false);
  expect(containsAsset({ a: [{ [signatureKey]: "c44067f5952c0a294b673a41bacd8c17", text: "" }] })).toBe(true);
});

test("equality ignores absent members and the order of keys, and nothing else", () => {
  expect(equal({ a: 1, b: undefined }, { a: 1 })).toBe(true);
  expect(equal({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true);
  expect(equal([1, 2], [2, 1])).toBe(false);
  expect(equal([], {})).toBe(false);
  expect(equal(null, undefined)).toBe(false);
  expect(equal(1, "1")).toBe(false);
});

test("changed keys are told by value, whether or not it is marked secret", () => {
  expect(changedKeys({ a: 1, b: secret("x"), c: 1 }, { a: 2, b: "x", d: 1 })).toEqual(["a", "c", "d"]);
});
