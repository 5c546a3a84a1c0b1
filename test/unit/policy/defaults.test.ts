/** The stack's own defaults against the stack's own policies. */
import { generateKeyPairSync } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, test } from "vitest";
import * as components from "../../../components/index.ts";
import { products } from "../../../components/products.ts";
import { schema } from "../../../stack/settings/schema.ts";
import type { Schema } from "../../../stack/settings/setting.ts";
import { judge, judgeStack, policies } from "./judge.ts";
import { type Rendered, render, renderStack } from "./render.ts";

type Settings = Readonly<Record<string, unknown>>;

const declared: Schema = schema;

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const push = { akeylessPush: "true", akeylessGatewayUrl: "https://gateway.example.com:8000" };
const reader = { namespace: "shop", rules: [{ resources: ["pods"], verbs: ["get"] as const }] };

/** By feature, what switches it on: settings that have no default, and switches that are off by default. */
const features: Readonly<Record<string, Settings>> = {
  "a context alone": {},
  "the certificate flow": { certificateFlow: "true" },
  "a rotation": { certificateFlow: "true", rotation: { current: "2026-q2", previous: ["2026-q1"] } },
  "every product": { certificateFlow: "true", products },
  "a bearer-token user with rules": { bearerTokenUsers: { reader } },
  "a bearer-token user with a ClusterRole": {
    bearerTokenUsers: { viewer: { namespace: "shop", clusterRole: "view" } },
  },
  "the verifier": { verifier: "true", verifierAudiences: ["shop"] },
  "an image with the verifier": {
    verifier: "true",
    verifierAudiences: ["shop"],
    verifierImage: `registry.example/verifier@sha256:${"0".repeat(64)}`,
    verifierSelfContainedImage: "true",
    verifierSkipAwait: "true",
  },
  "Akeyless with its own auth method": {
    ...push,
    certificateFlow: "true",
    akeylessAuthMethod: { boundNamespaces: ["shop"] },
    akeylessRoles: { "/shop/reader": { namespace: "shop" } },
    akeylessRoleRules: { "/shop/reader": [{ path: "/shop/*", capabilities: ["read"] }] },
    akeylessProofAccount: "shop/shop",
  },
  "Akeyless with an auth method that exists": {
    ...push,
    akeylessAccessId: "p-0123456789ab",
    akeylessSigningKey: privateKey.export({ type: "pkcs1", format: "pem" }).toString(),
  },
  "a gateway in the cluster": { akeylessGatewayAccount: "akeyless/gateway" },
  Rancher: {
    rancherUrl: "https://rancher.example.com",
    rancherApiKey: "token-abcde:hush",
    rancherClusterId: "c-abcde",
  },
  "an audience and the issuer's validation": { audience: "gateway", validateIssuer: "true" },
  "the CA of the first use": { trustOnFirstUse: "true" },
  "a gateway on this machine": { allowLoopbackHost: "true" },
  "protection from deletion": { protect: "true", certificateFlow: "true" },
};

/** By policy of a level, what it says of a stack. */
function violations(level: "mandatory" | "advisory", rendered: readonly Rendered[]): Record<string, string[]> {
  const said = policies
    .filter(({ enforcementLevel }) => enforcementLevel === level)
    .map((policy) => [policy.name, verdicts(policy, rendered)] as const);
  return Object.fromEntries(said.filter(([, found]) => found.length > 0));
}

/** A resource that cannot be judged counts as a violation: everything of these stacks is known. */
function verdicts({ name, ...policy }: (typeof policies)[number], rendered: readonly Rendered[]): string[] {
  const made = rendered.map((resource) => ({ ...resource, props: resource.outputs }));
  const found =
    "validateStack" in policy ? [judgeStack(name, made)] : rendered.map((resource) => judge(name, resource));
  return found.flatMap(({ violations, unknown }) => [...violations, ...(unknown ? ["It cannot be judged."] : [])]);
}

const stacks = new Map<string, readonly Rendered[]>();

beforeAll(async () => {
  for (const [feature, settings] of Object.entries(features)) stacks.set(feature, await renderStack(settings));
}, 60_000);

describe("a stack with the defaults of everything that is not required", () => {
  test.each(Object.keys(features))("and %s violates no mandatory policy", (feature) => {
    const rendered = stacks.get(feature) ?? expect.fail(feature);
    expect(rendered.map(({ type }) => type)).toContain("k8sauth:index:Cluster");
    expect(violations("mandatory", rendered)).toEqual({});
  });
});

test("components with their required arguments alone violate no mandatory policy", async () => {
  const rendered = await render(() => {
    const cluster = new components.Cluster("cluster", {});
    new components.TokenReviewer("gateway-token-reviewer", { cluster });
    new components.ClientCertificate("gateway-client-certificate", {
      cluster,
      commonName: "gateway-client-certificate",
    });
    new components.BearerTokenUser("reader", { cluster, ...reader });
    new components.Verifier("verifier", { cluster, audiences: ["shop"] });
    new components.GatewayAccount("account", { namespace: "akeyless", serviceAccountName: "gateway" });
  });
  const made = rendered.filter(({ type }) => type.startsWith("k8sauth:")).map(({ type }) => type.split(":").at(-1));
  expect(made).toEqual(
    expect.arrayContaining(["TokenReviewer", "ClientCertificate", "BearerTokenUser", "Verifier", "GatewayAccount"]),
  );
  expect(violations("mandatory", rendered)).toEqual({});
});

describe("the features", () => {
  test("render every resource and component that the program has", () => {
    const classes = Object.entries(components)
      .filter(([, value]) => typeof value === "function" && value.prototype instanceof pulumi.Resource)
      .filter(([, value]) => value !== components.Provider)
      .map(([name]) => `k8sauth:index:${name}`);
    const types = new Set([...stacks.values()].flat().map(({ type }) => type));
    expect(classes.filter((type) => !types.has(type))).toEqual([]);
    expect(classes.length).toBeGreaterThan(10);
  });

  test("switch on everything that is off by default", () => {
    const off = Object.keys(declared).filter((key) => declared[key]?.default === false);
    const on = Object.values(features).flatMap((settings) => off.filter((key) => settings[key] === "true"));
    expect([...new Set(on)].sort()).toEqual(off.sort());
  });

  test("override no default except the image, which verifierSelfContainedImage requires", () => {
    const isUnset = (value: unknown) => [undefined, "false", "[]"].includes(JSON.stringify(value));
    const keys = Object.values(features).flatMap((settings) => Object.keys(settings));
    expect(keys.filter((key) => !isUnset(declared[key]?.default))).toEqual(["verifierImage"]);
  });
});

describe("other values than the defaults are still refused", () => {
  test("a bearer-token user's token that does not expire", async () => {
    const rendered = await renderStack({ bearerTokenUsers: { reader: { ...reader, tokenMode: "secret" } } });
    expect(Object.keys(violations("mandatory", rendered))).toEqual(["token-secret-for-reviewers"]);
  });

  test("an image of the user's choice that is not pinned", async () => {
    const verifier = { verifier: "true", verifierAudiences: ["shop"] };
    const rendered = await renderStack({ ...verifier, verifierImage: "registry.example/node:24" });
    expect(Object.keys(violations("mandatory", rendered))).toEqual(["image-pinned"]);
  });
});

test("the verifier's default image causes a warning while it is a tag", () => {
  const rendered = stacks.get("the verifier") ?? expect.fail("there is no such stack");
  expect(violations("advisory", rendered)).toHaveProperty("default-image-pinned");
});
