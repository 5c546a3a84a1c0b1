import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StackSubject } from "../../../engine/policyMessages.ts";
import { PolicyPack, type PolicyViolation } from "../../../engine/policyPack.ts";
import type { Properties, Value } from "../../../engine/values.ts";
import { makePolicies } from "../../../policy/policies.ts";
import { judge as judgeOne, judgeStack, unknown } from "./judge.ts";
import { type StackResource, stacks } from "./stacks.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let pack: PolicyPack;

beforeAll(async () => {
  pack = await PolicyPack.start(
    { folder: join(root, "policy") },
    {
      project: "k8sauth",
      stack: "dev",
      preview: false,
      config: { values: {}, secretKeys: [] },
      engineAddress: "127.0.0.1:1",
      env: process.env,
      say: () => {},
    },
  );
});
afterAll(() => pack?.close());

/** What the whole pack says of a stack: each resource before it is made, then all of them. */
async function judge(resources: readonly StackResource[]): Promise<PolicyViolation[]> {
  const subjects = resources.map(
    ({ type, inputs, name = "thing", secretOutputs = [], parent }): StackSubject => ({
      urn: `urn:pulumi:dev::k8sauth::${parent ? `${parent}$` : ""}${type}::${name}`,
      type,
      properties: inputs,
      parent: undefined,
      protect: false,
      ignoreChanges: [],
      deleteBeforeReplace: undefined,
      additionalSecretOutputs: [...secretOutputs],
      aliases: [],
      provider: undefined,
      dependencies: [],
      propertyDependencies: {},
    }),
  );
  const single = await Promise.all(subjects.map((subject) => pack.analyze(subject)));
  const made = subjects.map((subject, index) => ({
    ...subject,
    properties: { ...subject.properties, ...resources[index]?.outputs },
  }));
  return [...single.flat(), ...(await pack.analyzeStack(made, "urn:pulumi:dev::k8sauth::pulumi:pulumi:Stack::s"))];
}

test("there are two stacks for every policy of the pack", () => {
  expect(Object.keys(stacks)).toEqual(makePolicies().map(({ name }) => name));
});

test.each(Object.entries(stacks))(
  "%s: one stack keeps to it, and another one breaks it",
  async (policy, { keeps, breaks }) => {
    expect(await judge(keeps)).toEqual([]);
    const found = await judge(breaks);
    expect(found.length).toBeGreaterThan(0);
    // Every token Secret is discouraged, that of no reviewer too.
    const others = new Set(found.map((violation) => violation.policy));
    if (policy === "token-secret-for-reviewers") others.delete("token-secret-discouraged");
    expect([...others]).toEqual([policy]);
    const {
      enforcementLevel,
      severity,
      url = "",
      remediationSteps = "",
    } = makePolicies().find(({ name }) => name === policy) ?? expect.fail(policy);
    for (const violation of found.filter((one) => one.policy === policy)) {
      expect(violation).toMatchObject({ level: enforcementLevel, severity });
      expect(violation.message).toContain(url);
      expect(violation.message).toContain(remediationSteps);
    }
  },
);

/** Every value with one leaf of an object not known yet, by the leaf's path. */
function blurred(value: Value | undefined, path = ""): [path: string, value: Value][] {
  if (typeof value !== "object" || value === null) return [[path, unknown]];
  return Object.entries(value).flatMap(([key, member]) =>
    blurred(member, `${path}.${key}`).map(([at, other]): [string, Value] => {
      const copy = structuredClone(value) as Record<string, Value>;
      copy[key] = other;
      return [at, copy as Value];
    }),
  );
}

test.each(Object.entries(stacks))(
  "%s: no single value that is not known yet lets pass what breaks it",
  (policy, { breaks }) => {
    const isStackPolicy = "validateStack" in (makePolicies().find(({ name }) => name === policy) ?? {});
    const asked = breaks.map(({ inputs, outputs, type, name, parent, secretOutputs = [] }) => ({
      type,
      name,
      urn: `urn:pulumi:dev::k8sauth::${parent ? `${parent}$` : ""}${type}::${name ?? "thing"}`,
      additionalSecretOutputs: secretOutputs,
      props: { ...inputs, ...(isStackPolicy && outputs) },
    }));
    for (const [index, resource] of asked.entries()) {
      for (const [path, props] of blurred(resource.props as Value)) {
        const seen = asked.with(index, { ...resource, props: props as Properties });
        const verdicts = isStackPolicy
          ? [judgeStack(policy, seen)]
          : seen.map((one) => judgeOne(policy, one)).filter(({ applies }) => applies);
        const noticed = verdicts.some(({ violations, unknown: met }) => violations.length > 0 || met);
        expect([path, noticed]).toEqual([path, true]);
      }
    }
  },
);
