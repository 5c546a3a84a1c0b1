import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { mergeSettings, parseList } from "../../../examples/fleet/list.ts";
import { schema } from "../../../stack/settings/schema.ts";
import { program } from "../../support/project.ts";

describe("a list of clusters", () => {
  test("gives each cluster a stack with the common settings and those of the cluster", () => {
    const text = `
stackPrefix: acme/k8sauth/
defaults: { certificateFlow: true, audience: gateway }
clusters:
  eu-1:
  eu-2: { context: eu-2, certificateFlow: false }
`;
    expect(parseList(text, "/lists/fleet.yaml").clusters).toEqual([
      { name: "eu-1", stack: "acme/k8sauth/eu-1", settings: { certificateFlow: true, audience: "gateway" } },
      {
        name: "eu-2",
        stack: "acme/k8sauth/eu-2",
        settings: { certificateFlow: false, audience: "gateway", context: "eu-2" },
      },
    ]);
  });

  test("has this program, 10 minutes and at least one stack at a time as defaults", () => {
    const list = parseList("clusters: { eu: }", "fleet.yaml");
    expect(readFileSync(join(list.program, "Pulumi.yaml"), "utf8")).toMatch(/^name: k8sauth$/m);
    expect(list.timeoutSeconds).toBe(600);
    expect(list.parallel).toBeGreaterThanOrEqual(1);
  });

  test("has its program's path relative to its file", () => {
    expect(parseList("{ program: ../app, clusters: { eu: } }", "/lists/fleet.yaml").program).toBe("/app");
  });

  test.each([
    ["", /`clusters` is not a map/],
    ["clusters: [eu-1]", /`clusters` is not a map/],
    ["{ clusters: { eu: }, parralel: 2 }", /unknown key `parralel`/],
    ["{ clusters: { eu: }, timeoutSeconds: soon }", /`timeoutSeconds` is not a number above 0/],
    ["{ clusters: { eu: }, parallel: 1.5 }", /`parallel` is not a whole number above 0/],
    ["{ clusters: { eu: , eu: } }", /Map keys must be unique/],
  ])("that is %j is not valid", (text, message) => {
    expect(() => parseList(text, "fleet.yaml")).toThrow(message);
  });

  test("that the example has is valid, names a context for each cluster, and sets only what the program knows", () => {
    const file = join(program, "examples", "fleet", "fleet.yaml");
    const list = parseList(readFileSync(file, "utf8"), file);
    expect(list.program).toBe(program);
    const set = list.clusters.flatMap(({ settings }) => Object.keys(settings));
    expect(Object.keys(schema)).toEqual(expect.arrayContaining(set));
    for (const { name, settings } of list.clusters) expect(settings, name).toHaveProperty("context");
  });
});

test("clear settings come from the list alone; secrets and other namespaces stay", () => {
  const secret = { secure: "v1:abc:def" };
  const present = {
    "k8sauth:akeylessSigningKey": secret,
    "k8sauth:audience": "old",
    "k8sauth:context": "x",
    "aws:region": "r",
  };
  expect(mergeSettings("k8sauth", present, { audience: "new", products: ["consul"] })).toEqual({
    "k8sauth:akeylessSigningKey": secret,
    "aws:region": "r",
    "k8sauth:audience": "new",
    "k8sauth:products": ["consul"],
  });
});
