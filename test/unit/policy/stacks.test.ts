import { expect, test } from "vitest";
import { judge, judgeStack, policies, type Resource, unknown, type Verdict } from "./judge.ts";
import { type Properties, type StackResource, stacks, type Value } from "./stacks.ts";

/** Results of one policy for a stack: of each resource before it is created, or of all of them afterwards. */
function verdicts(policy: (typeof policies)[number], resources: readonly StackResource[]): Verdict[] {
  const isStackPolicy = "validateStack" in policy;
  const asked = resources.map((resource) => subject(resource, isStackPolicy));
  if (isStackPolicy) return [judgeStack(policy.name, asked)];
  return asked.map((one) => judge(policy.name, one)).filter(({ applies }) => applies);
}

function subject(
  { inputs, outputs, type, name, parent, protect, secretOutputs = [] }: StackResource,
  created: boolean,
): Resource {
  return {
    type,
    ...(name !== undefined && { name }),
    urn: `urn:pulumi:dev::k8sauth::${parent ? `${parent}$` : ""}${type}::${name ?? "thing"}`,
    additionalSecretOutputs: secretOutputs,
    protect,
    props: { ...inputs, ...(created && outputs) },
  };
}

/** Every violation of any policy, and every policy that met an unknown value. */
function judgeAll(resources: readonly StackResource[]): { policy: string; message: string }[] {
  return policies.flatMap((policy) =>
    verdicts(policy, resources).flatMap(({ violations, unknown: met }) =>
      [...violations, ...(met ? ["It met an unknown value."] : [])].map((message) => ({
        policy: policy.name,
        message,
      })),
    ),
  );
}

test("there are two stacks for every policy of the pack", () => {
  expect(Object.keys(stacks)).toEqual(policies.map(({ name }) => name));
});

test.each(Object.entries(stacks))(
  "%s: one stack keeps to it, and another one breaks it",
  (policy, { keeps, breaks }) => {
    expect(judgeAll(keeps)).toEqual([]);
    const found = judgeAll(breaks);
    // Every token Secret is discouraged, one of an account that is no reviewer too.
    const others = new Set(found.map((violation) => violation.policy));
    if (policy === "token-secret-for-reviewers") others.delete("token-secret-discouraged");
    expect([...others]).toEqual([policy]);
    const { url = "", remediationSteps = "" } = policies.find(({ name }) => name === policy) ?? expect.fail(policy);
    for (const { message } of found.filter((one) => one.policy === policy)) {
      expect(message).toContain(url);
      expect(message).toContain(remediationSteps);
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
  (name, { breaks }) => {
    const policy = policies.find((candidate) => candidate.name === name) ?? expect.fail(name);
    for (const [index, resource] of breaks.entries()) {
      const values = { ...resource.inputs, ...("validateStack" in policy && resource.outputs) };
      for (const [path, inputs] of blurred(values)) {
        const seen = verdicts(policy, breaks.with(index, { ...resource, inputs: inputs as Properties, outputs: {} }));
        const noticed = seen.some(({ violations, unknown: met }) => violations.length > 0 || met);
        expect([path, noticed]).toEqual([path, true]);
      }
    }
  },
);
