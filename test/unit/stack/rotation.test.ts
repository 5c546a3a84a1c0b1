import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, test } from "vitest";
import { previousEpochNotes, rotationNotes } from "../../../stack/notes.ts";
import { deployerRights, reservedNames } from "../../../stack/preflight.ts";
import { readSettings } from "../../../stack/settings/index.ts";
import { inStack } from "./inStack.ts";

beforeAll(inStack);

/** Reads settings as they come from a stack: all of them text. */
function read(values: Readonly<Record<string, unknown>>) {
  const config = Object.entries({ context: "prod", ...values }).map(([key, value]) => [
    `k8sauth:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  pulumi.runtime.setAllConfig(Object.fromEntries(config));
  return readSettings();
}

const within = { namespace: "auth", createNamespace: false };
const reader = { namespace: "auth", clusterRole: "view" };
const rotation = { current: "2026-q4", previous: ["2026-q3", ""] };

/** Names of the Secrets that the preflight wants to be free. */
function reservedSecrets(values: Readonly<Record<string, unknown>>): string[] {
  return reservedNames(read(values)).flatMap(({ kind, name }) => (kind === "Secret" ? [name] : []));
}

describe.each([
  ["secret", "token"],
  ["tokenRequest", "bound-token"],
])("with tokens of the mode %s", (tokenMode, suffix) => {
  const settings = { ...within, tokenMode, bearerTokenUsers: { reader: { ...reader, tokenMode } } };
  const expected = ["gateway-token-reviewer", "reader"].flatMap((account) => [
    `${account}-${suffix}-2026-q4`,
    `${account}-${suffix}-2026-q3`,
    `${account}-${suffix}`,
  ]);

  test("the Secrets of all listed epochs must be free, of reviewer and users", () => {
    expect(reservedSecrets({ ...settings, rotation })).toEqual(expected);
  });

  test("the deployer's permissions for them are limited to their names", () => {
    const rights = deployerRights(read({ ...settings, rotation }));
    for (const verb of ["get", "patch", "delete"]) {
      const names = rights.flatMap((right) =>
        right.resource === "secrets" && right.verb === verb ? [right.name] : [],
      );
      expect(names, verb).toEqual(expected);
    }
  });

  test("without a rotation the Secret's name has no epoch", () => {
    expect(reservedSecrets(settings)).toEqual([`gateway-token-reviewer-${suffix}`, `reader-${suffix}`]);
  });
});

test("a user's rotation replaces that of the stack", () => {
  const users = { reader: { ...reader, rotation: { current: "own" } }, writer: reader };
  expect(
    reservedSecrets({ ...within, tokenFlow: "false", rotation: { current: "all" }, bearerTokenUsers: users }),
  ).toEqual(["reader-bound-token-own", "writer-bound-token-all"]);
});

test("the longest account name leaves room for the longest epoch", () => {
  const epoch = "e".repeat(32);
  const longest = (account: string) =>
    reservedSecrets({
      ...within,
      tokenMode: "tokenRequest",
      serviceAccountName: account,
      rotation: { current: epoch },
    });
  expect(longest("a".repeat(208))[0]).toHaveLength(253);
  expect(() => longest("a".repeat(209))).toThrow(/serviceAccountName has 209 characters. At most 208/);
});

test("without the certificate flow, the certificate's user name may be too long", () => {
  const settings = { certificateCommonName: "c".repeat(60), rotation: { current: "2026-q4" } };
  expect(() => read(settings)).not.toThrow();
  expect(() => read({ ...settings, certificateFlow: "true" })).toThrow(/certificateCommonName has 68 bytes/);
});

test("a note names the epochs whose credentials are still valid", () => {
  expect(previousEpochNotes(read({ rotation }))).toEqual([expect.stringContaining('still valid ("2026-q3", "")')]);
  expect(previousEpochNotes(read({ rotation: { current: "2026-q4" } }))).toEqual([]);
  expect(previousEpochNotes(read({}))).toEqual([]);
});

describe("with a supplied certificate request", () => {
  const brought = { certificateFlow: "true", certificateRequest: "a request" };

  test("a rotation applies to the tokens only, and a note says so", () => {
    const settings = read({ ...brought, rotation });
    const { certificate, token } = settings;
    expect(rotationNotes(settings)).toEqual([expect.stringMatching(/does not rotate .*certificateRequest/)]);
    expect(rotationNotes(read(brought))).toEqual([]);
    expect(rotationNotes(read({ rotation, certificateFlow: "true" }))).toEqual([]);
    expect(certificate.rotation).toBeUndefined();
    expect(token.rotation).toEqual(rotation);
  });

  test("a rotation that has no token to rotate is refused", () => {
    expect(() => read({ ...brought, tokenFlow: "false", rotation })).toThrow(
      /rotation is set, but the stack has no token and no certificate to rotate. .*another request/,
    );
  });
});

test.each<[string, unknown, RegExp]>([
  [
    "an epoch that can be in no object's name",
    { current: "2026_Q4" },
    /rotation\.current must be at most 32 lower-case/,
  ],
  ["an epoch in capitals", { current: "2026-Q4" }, /rotation\.current must be/],
  ["an epoch that ends with a dash", { current: "q4-" }, /rotation\.current must be/],
  ["an epoch that is too long", { current: "e".repeat(33) }, /rotation\.current must be/],
  ["no current epoch", { previous: ["a"] }, /rotation\.current is missing/],
  ["a current epoch without a name", { current: "" }, /rotation\.current must be/],
  ["an epoch twice", { current: "a", previous: ["a"] }, /rotation names an epoch twice/],
  ["another field", { current: "a", next: "b" }, /rotation\.next is not a field. The fields are: current, previous/],
  ["a list", ["a"], /rotation must be an object/],
])("%s is refused, for the stack and for a user", (_what, wrong, message) => {
  expect(() => read({ rotation: wrong })).toThrow(message);
  expect(() => read({ bearerTokenUsers: { reader: { ...reader, rotation: wrong } } })).toThrow(message);
});
