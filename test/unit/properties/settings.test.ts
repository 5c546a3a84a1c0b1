/** Settings: whatever a stack's file holds, there is one error that names every setting, or there are values that mean what was set. */
import { generateKeyPairSync } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { accountNameLimit, longestEpoch } from "../../../components/rotation.ts";
import { readSettings } from "../../../stack/settings/index.ts";
import { schema } from "../../../stack/settings/schema.ts";
import type { Schema } from "../../../stack/settings/setting.ts";
import { inStack } from "../stack/inStack.ts";
import { type Json, json, runs, spoiled, textWith, thrownBy } from "./arbitraries.ts";

beforeAll(inStack);

const names = Object.keys(schema);
const known: Schema = schema;
const secretNames = names.filter((name) => known[name]?.secret);

function read(values: Readonly<Record<string, string>>) {
  const keyed = Object.entries({ context: "prod", ...values }).map(([key, value]) => [`k8sauth:${key}`, value]);
  pulumi.runtime.setAllConfig(Object.fromEntries(keyed));
  return readSettings();
}

/** Reads settings; what is thrown has to be the one error that there is for them. Answers its message, "" if there is none. */
function problemsOf(values: Readonly<Record<string, string>>): string {
  const error = thrownBy(() => read(values));
  if (error === undefined) return "";
  expect(pulumi.RunError.isInstance(error), `${(error as Error).stack}`).toBe(true);
  const { message } = error as Error;
  expect(message).toMatch(/^The settings of this stack are not valid:\n {2}k8sauth:/);
  return message;
}

const fragments = ["true", "null", "0", "600", "https://", "{}", "[]", '{"', "-----BEGIN ", "system:", "*", "/", "a"];
const value = fc.oneof(
  textWith(...fragments),
  json.map((one) => JSON.stringify(one)),
);

test("no text in any setting is more than an error that names settings", () => {
  const values = fc.dictionary(fc.constantFrom(...names), value, { minKeys: 1, maxKeys: 4 });
  fc.assert(
    fc.property(values, (given) => {
      problemsOf(given);
    }),
    runs(500),
  );
});

test("a setting of another name is refused by its name, and never read", () => {
  const name = textWith("context", "Namespace", "verifier", "__proto__", "constructor").filter(
    (one) => !names.includes(one) && one !== "",
  );
  fc.assert(
    fc.property(name, value, (key, given) => {
      expect(problemsOf({ [key]: given })).toContain(`k8sauth:${key} is not a setting.`);
    }),
  );
});

test("a secret is in no message, whatever is wrong with it and with the other settings", () => {
  const secret = fc.stringMatching(/^S3CR3T[A-Za-z0-9+/=:. -]{10,40}$/);
  const others = fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 3 });
  fc.assert(
    fc.property(fc.constantFrom(...secretNames), secret, others, (name, hidden, given) => {
      expect(problemsOf({ ...given, [name]: hidden })).not.toContain("S3CR3T");
    }),
    runs(300),
  );
});

describe("a good value is the one that is read:", () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  const subdomain = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
  const blank = fc.constantFrom("", " ", "\n");

  test("names of objects", () => {
    const account = subdomain.filter((name) => name.length <= accountNameLimit);
    fc.assert(
      fc.property(label, account, blank, (namespace, serviceAccountName, space) => {
        const settings = read({ namespace: `${space}${namespace}${space}`, serviceAccountName });
        expect(settings).toMatchObject({ namespace, serviceAccountName });
      }),
    );
  });

  test("numbers, choices and flags", () => {
    const choices = fc.record({
      tokenMode: fc.constantFrom("secret", "tokenRequest"),
      offline: fc.constantFrom("fail", "warn"),
      validateIssuer: fc.boolean().map(String),
      tokenExpirationSeconds: fc.integer({ min: 600, max: 999_999_999 }).map(String),
    });
    fc.assert(
      fc.property(choices, (given) => {
        const { token, offline, validateIssuer } = read(given);
        const found = { ...token, offline, validateIssuer };
        for (const [name, text] of Object.entries(given)) expect(String(found[name as keyof typeof found])).toBe(text);
      }),
    );
  });

  test("epochs", () => {
    const epoch = subdomain.filter((name) => name.length <= longestEpoch);
    fc.assert(
      fc.property(fc.uniqueArray(fc.oneof(epoch, fc.constant("")), { minLength: 1, maxLength: 4 }), (all) => {
        const [current = "", ...previous] = all[0] === "" ? [...all.slice(1), ""] : all;
        fc.pre(current !== "");
        expect(read({ rotation: JSON.stringify({ current, previous }) }).token.rotation).toEqual({ current, previous });
      }),
    );
  });

  test("roles and labels, or their names are refused", () => {
    const name = fc.oneof(textWith("/shop/reader", "app"), fc.constantFrom("__proto__", "constructor", "prototype"));
    fc.assert(
      fc.property(fc.dictionary(name, fc.constantFrom("a", "b"), { minKeys: 1, maxKeys: 3 }), (labels) => {
        const given = {
          verifier: "true",
          verifierAudiences: '["orders"]',
          verifierCallers: JSON.stringify([{ podLabels: labels }]),
        };
        const problems = problemsOf(given);
        if (problems === "") expect(read(given).verifier?.callers).toEqual([{ podLabels: labels }]);
        else
          expect(problems).toMatch(/verifierCallers\[0\]\.podLabels has the name "(__proto__|constructor|prototype)"/);
      }),
      runs(200),
    );
  });
});

describe("a structured setting with a part of it exchanged", () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = Buffer.from(privateKey.export({ type: "pkcs1", format: "pem" }) as string).toString("base64");
  const base = { akeylessPush: "true", akeylessGatewayUrl: "https://gateway.example:8000", verifier: "true" };
  const good: Readonly<Record<string, Json>> = {
    rotation: { current: "b", previous: ["a", ""] },
    bearerTokenUsers: {
      reader: {
        namespace: "shop",
        rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
        scope: "cluster",
      },
      admin: { namespace: "shop", clusterRole: "view", tokenMode: "tokenRequest", rotation: { current: "x" } },
    },
    akeylessAuthMethod: { name: "/m", boundNamespaces: ["shop"], accessExpires: 1, expirationEventIn: [30] },
    akeylessRoles: { "/shop/reader": { namespace: "shop", pod_name: ["a", "b"] } },
    akeylessRoleRules: { "/shop/reader": [{ path: "/shop/*", capabilities: ["read"], type: "item-rule" }] },
    verifierAudiences: ["orders"],
    verifierAllow: ["shop/*", "shop/web GET /orders/*"],
    verifierCallers: [{ namespaceLabels: { team: "a" }, podLabels: { app: "b" } }],
    verifierEgressCidrs: ["10.0.0.1/32"],
    verifierResources: { cpuRequest: "100m", memoryLimit: "256Mi" },
    verifierSettings: {
      reviewOutage: "local",
      issuers: [{ name: "a", issuer: "https://a.example", mode: "oidc-discovery" }],
    },
    products: ["consul"],
  };
  const whole = Object.fromEntries(Object.entries(good).map(([name, one]) => [name, JSON.stringify(one)]));

  test("is read when nothing is exchanged", () => {
    expect(problemsOf({ ...base, ...whole, akeylessAccessId: "" })).toBe("");
    expect(problemsOf({ akeylessAccessId: "p-0123456789ab", akeylessSigningKey: key })).toBe("");
  });

  test.each(Object.keys(good))("is read or named: %s", (name) => {
    fc.assert(
      fc.property(spoiled(good[name] as Json), (other) => {
        problemsOf({ ...base, ...whole, [name]: JSON.stringify(other) });
      }),
      runs(60),
    );
  });
});
