/** Components for programs in other languages: the plugin creates them at the engine that asks. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import schema from "../../../provider/schema.json" with { type: "json" };
import { cluster, least, outputs, providers, token } from "../../support/plugin/componentCalls.ts";
import { type FakeEngine, startEngine } from "../../support/plugin/engine.ts";
import { type FakeMonitor, startMonitor } from "../../support/plugin/monitor.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { isSecret, type Properties, secretOf, unknownMark } from "../../support/plugin/properties.ts";

let engine: FakeEngine;
let monitor: FakeMonitor;
let plugin: Plugin;

beforeAll(async () => {
  [engine, monitor] = await Promise.all([startEngine(), startMonitor(outputs)]);
  plugin = await Plugin.start(engine);
});
afterAll(async () => {
  await plugin?.[Symbol.asyncDispose]();
  engine?.stop();
  monitor?.stop();
});
beforeEach(() => {
  monitor.registered.length = 0;
});

function construct(component: string, args: Properties, options: { preview?: boolean } = {}) {
  return plugin.construct(`k8sauth:index:${component}`, "it", args, monitor.address, { providers, ...options });
}

test("the components of the schema are those that are tested here", () => {
  const components = Object.entries(schema.resources).filter(([, spec]) => "isComponent" in spec);
  expect(components.map(([type]) => type.split(":").at(-1)).sort()).toEqual(Object.keys(least).sort());
});

describe.each(Object.entries(least))("%s", (name, args) => {
  test("is created with its children below it, by the given providers", { timeout: 60_000 }, async () => {
    const { urn } = await construct(name, args);
    expect(urn).toBe(`urn:pulumi:dev::test::k8sauth:index:${name}::it`);
    const [component, ...children] = monitor.registered;
    expect(component).toMatchObject({ type: `k8sauth:index:${name}`, name: "it" });
    expect(children.length).toBeGreaterThan(0);
    for (const { type, parent, providers: own } of children) {
      expect(parent, type).toBe(urn);
      const [pkg = ""] = type.split(":");
      const expected = providers[pkg as keyof typeof providers];
      if (expected !== undefined) expect(own, type).toEqual([expected]);
    }
  });

  test("has the outputs of the schema", async () => {
    const { outputs: state } = await construct(name, args);
    const { properties, required } = schema.resources[`k8sauth:index:${name}` as "k8sauth:index:TokenReviewer"];
    expect(Object.keys(properties)).toEqual(expect.arrayContaining(Object.keys(state)));
    expect(Object.keys(state)).toEqual(expect.arrayContaining(required));
    for (const [key, spec] of Object.entries(properties)) {
      if (!("secret" in spec) || !(key in state)) continue;
      // Of several configs, each is a secret.
      const values = isSecret(state[key]) ? [] : Object.values(state[key] as Properties);
      expect(
        values.filter((value) => !isSecret(value)),
        key,
      ).toEqual([]);
    }
  });
});

test("several components at once keep their own children", async () => {
  const names = ["a", "b", "c"];
  const type = "k8sauth:index:TokenReviewer";
  await Promise.all(names.map((name) => plugin.construct(type, name, { cluster }, monitor.address, { providers })));
  const children = monitor.registered.filter((one) => one.parent !== "");
  expect(children.length % names.length).toBe(0);
  for (const { name, parent } of children) expect(parent.split("::").at(-1)).toBe(name);
});

test("the token is a reference to its resource, and no secret is in plain text", async () => {
  const { outputs: state } = await construct("TokenReviewer", { cluster });
  expect(state.token).toMatchObject({ urn: expect.stringContaining("$k8sauth:index:ReviewerToken::it") });
  expect(plugin.traffic.join("\n")).not.toContain(token);
});

describe("a component's errors arrive in its own words", () => {
  test.each([
    [
      "by the component itself",
      "TokenReviewer",
      { cluster, createNamespace: false },
      /^namespace: set the name of an existing/,
    ],
    [
      "an unknown argument",
      "TokenReviewer",
      { cluster, audiens: "x" },
      /^Unknown property "audiens"\. Known are: cluster, /,
    ],
    [
      "a missing argument",
      "ClientCertificate",
      { cluster },
      /^"commonName" is required: Common name of the certificate/,
    ],
    ["a wrong type", "TokenReviewer", { cluster, audience: 7 }, /^"audience" must be a string: Audience of the tokens/],
    [
      "an unknown value",
      "TokenReviewer",
      { cluster, tokenMode: "none" },
      /^"tokenMode" must be one of secret, tokenRequest: /,
    ],
    [
      "a wrong element",
      "BearerTokenUser",
      { ...least.BearerTokenUser, rules: [{ resources: ["pods"] }] },
      /^"rules\[0\]\.verbs" is required: /,
    ],
    ["something that is no cluster", "TokenReviewer", { cluster: "prod" }, /^"cluster" must be a Cluster: /],
    [
      "an output where the value must be known",
      "ClientCertificate",
      { cluster, commonName: secretOf("x") },
      /^"commonName" cannot be an output/,
    ],
    [
      "in what follows from outputs",
      "Verifier",
      { cluster, audiences: ["orders"], settings: { reviewOutage: "never" } },
      /reviewOutage/,
    ],
  ])("%s", async (_what, name, args, message) => {
    const error = await construct(name, args).catch(({ details }: { details: string }) => details);
    expect(error).toMatch(message);
    expect(error).not.toMatch(/\n\s+at |INTERNAL/);
  });

  test("an unknown component", async () => {
    await expect(construct("Nothing", {})).rejects.toThrow(
      /TYPE_UNKNOWN: k8sauth has no component "k8sauth:index:Nothing"/,
    );
  });
});

test("a preview of a cluster that is not known yet has unknown outputs", async () => {
  const preview = await startMonitor({
    ...outputs,
    "k8sauth:index:Cluster": { host: unknownMark, caPem: unknownMark },
  });
  const type = "k8sauth:index:BearerTokenUser";
  const args = least.BearerTokenUser ?? {};
  const { outputs: state } = await plugin.construct(type, "it", args, preview.address, { providers, preview: true });
  preview.stop();
  expect(JSON.stringify(state.kubeconfig)).toContain(unknownMark);
});
