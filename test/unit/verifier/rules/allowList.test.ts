import { describe, expect, test } from "vitest";
import { allowedRoutes, parseRule } from "../../../../verifier/rules/allowList.ts";
import { matchesGlob } from "../../../../verifier/rules/routes.ts";
import type { Identity } from "../../../../verifier/token/identity.ts";

const who = { namespace: "team-a", serviceAccountName: "web", podName: "web-0" } as Identity;

describe("globs", () => {
  test.each([
    ["a", "a", true],
    ["a", "ab", false],
    ["*", "", true],
    ["*", "anything.at-all", true],
    ["team-*", "team-a", true],
    ["team-*", "my-team-a", false],
    ["*-a", "team-a", true],
    ["t*m*a", "team-a", true],
    ["t*m*b", "team-a", false],
    ["web-?", "web-0", true],
    ["web-?", "web-10", false],
    ["web-?", "web-", false],
    ["a.b", "axb", false],
    ["", "", true],
    ["", "a", false],
    ["*?", "", false],
  ])("%j and %j: %j", (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });
  test("no pattern takes long", () => {
    const started = performance.now();
    expect(matchesGlob(`${"*a".repeat(60)}b`, "a".repeat(253))).toBe(false);
    expect(performance.now() - started).toBeLessThan(100);
  });
});

describe("rules", () => {
  const allows = (...texts: string[]) => allowedRoutes(texts.map(parseRule), who) === "all";
  test("without rules, every ServiceAccount is accepted", () => expect(allows()).toBe(true));
  test("one that matches is enough", () => {
    expect(allows("other/*", "team-a/web")).toBe(true);
    expect(allows("team-*/w*")).toBe(true);
    expect(allows("team-a/web/web-*")).toBe(true);
  });
  test("namespace, ServiceAccount and pod all have to match", () => {
    expect(allows("team-b/web")).toBe(false);
    expect(allows("team-a/api")).toBe(false);
    expect(allows("team-a/web/api-*")).toBe(false);
  });
  test("a rule with a route allows its requests, and a rule without one allows all", () => {
    const rules = ["team-a/web GET|HEAD /orders/*", "team-b/web /b", "team-a/* * /all"].map(parseRule);
    expect(allowedRoutes(rules, who)).toEqual([
      { methods: ["GET", "HEAD"], path: "/orders/*" },
      { methods: undefined, path: "/all" },
    ]);
    expect(allows("team-a/web /orders", "team-a/web")).toBe(true);
  });
  test.each([
    "team-a/web orders",
    "team-a/web get /",
    "team-a/web GET,HEAD /",
    "team-a/web GET /a b",
    "team-a/web /a/../b",
    "team-a/web //a",
    "team-a/web /a%2Fb",
    "team-a/web GET",
    "team-a/web ",
    "team-a /a",
  ])("%j is no rule", (text) => {
    expect(() => parseRule(text)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });
  test("a rule for pods wants a token that is bound to one", () => {
    expect(allowedRoutes([parseRule("*/*/*")], { ...who, podName: undefined })).toEqual([]);
  });
});
