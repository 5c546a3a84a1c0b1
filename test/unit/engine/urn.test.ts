import { describe, expect, test } from "vitest";
import {
  formatProviderRef,
  isDefaultProvider,
  makeUrn,
  nameOf,
  packageOf,
  parseProviderRef,
  parseUrn,
  stackType,
  typeOf,
} from "../../../engine/urn.ts";

const root = makeUrn("dev", "shop", undefined, stackType, "shop-dev");

describe("the URN of a resource", () => {
  test("does not carry the stack as its parent", () => {
    expect(makeUrn("dev", "shop", root, "my:index:Group", "g")).toBe("urn:pulumi:dev::shop::my:index:Group::g");
  });

  test("carries the types of its ancestors", () => {
    const group = makeUrn("dev", "shop", root, "my:index:Group", "g");
    const inner = makeUrn("dev", "shop", group, "my:index:Inner", "i");
    const leaf = makeUrn("dev", "shop", inner, "kubernetes:core/v1:Secret", "s");
    expect(leaf).toBe("urn:pulumi:dev::shop::my:index:Group$my:index:Inner$kubernetes:core/v1:Secret::s");
    expect(typeOf(leaf)).toBe("kubernetes:core/v1:Secret");
    expect(packageOf(typeOf(leaf))).toBe("kubernetes");
  });

  test("may hold colons in its name", () => {
    const urn = makeUrn("dev", "shop", undefined, "my:index:Group", "a::b");
    expect(nameOf(urn)).toBe("a::b");
    expect(parseUrn(urn)).toMatchObject({ stack: "dev", project: "shop" });
  });

  test.each(["", "urn:pulumi:dev::shop", "urn:other:dev::shop::t::n", "urn:pulumi:dev::shop::type"])(
    "%j is none",
    (text) => {
      expect(() => parseUrn(text)).toThrow(expect.objectContaining({ code: "STATE_CORRUPT" }));
    },
  );
});

test("a provider's reference is its URN and id", () => {
  const ref = { urn: "urn:pulumi:dev::shop::pulumi:providers:kubernetes::default_4_34_2", id: "an-id" };
  expect(parseProviderRef(formatProviderRef(ref))).toEqual(ref);
  expect(packageOf(typeOf(ref.urn))).toBe("kubernetes");
  expect(isDefaultProvider(ref.urn)).toBe(true);
  expect(isDefaultProvider(ref.urn.replace("default_4_34_2", "defaults"))).toBe(false);
  expect(() => parseProviderRef("nothing")).toThrow(expect.objectContaining({ code: "STATE_CORRUPT" }));
});
