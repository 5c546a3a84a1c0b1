import type * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import { labelled, stackLabels } from "../../../components/labels.ts";

const label = "k8sauth.dev/stack";
/** Kubernetes, "Labels and Selectors": syntax of a value. */
const labelValue = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const labelOf = (stack: string, organization = "acme", project = "k8sauth") =>
  stackLabels({ organization, project, stack })[label] ?? expect.fail("there is no label");

describe("the label of a stack", () => {
  test("begins with the stack's name", () => expect(labelOf("prod")).toMatch(/^prod-[0-9a-f]{10}$/));

  test.each(["prod", "a".repeat(100), "-", "_._", ".hidden", "-x-", "x.", `${"a".repeat(51)}-b`, "Größe", "9"])(
    "is valid for a stack called %j",
    (stack) => expect(labelOf(stack)).toMatch(labelValue),
  );

  test("differs between stacks, projects, organizations, and names that are equal after truncation", () => {
    const values = [
      labelOf("prod"),
      labelOf("test"),
      labelOf("prod", "alice"),
      labelOf("prod", "acme", "other"),
      labelOf(`${"a".repeat(99)}b`),
      labelOf(`${"a".repeat(99)}c`),
      labelOf("-x"),
      labelOf("x"),
    ];
    expect(new Set(values).size).toBe(values.length);
  });
});

describe("a labelled component", () => {
  const stack = { organization: "acme", project: "k8sauth", stack: "prod" };
  const transform = (type: string, props: object) => {
    const [transformation] = labelled({}, stack).transformations ?? [];
    return transformation?.({ type, props, name: "x", opts: {}, resource: {} as pulumi.Resource })?.props;
  };

  test("labels Kubernetes objects, and keeps their own labels", () => {
    const own = { "app.kubernetes.io/name": "verifier" };
    const props = transform("kubernetes:core/v1:Service", { metadata: { name: "verifier", labels: own } });
    expect(props).toEqual({
      metadata: {
        name: "verifier",
        labels: { ...own, "app.kubernetes.io/managed-by": "k8sauth", [label]: expect.stringMatching(labelValue) },
      },
    });
  });

  test("labels objects without metadata", () => {
    const props = transform("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", { rules: [] });
    expect(props).toMatchObject({ rules: [], metadata: { labels: { "app.kubernetes.io/managed-by": "k8sauth" } } });
  });

  test.each(["tls:index/privateKey:PrivateKey", "pulumi:providers:kubernetes", "k8sauth:index:Verifier"])(
    "does not change %s",
    (type) => expect(transform(type, {})).toBeUndefined(),
  );

  test("keeps the transformations that its user gives", () => {
    const given = () => undefined;
    expect(labelled({ transformations: [given] }, stack).transformations).toEqual([given, expect.any(Function)]);
  });
});
