import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, test } from "vitest";
import { products } from "../../../components/products.ts";
import { readSettings } from "../../../stack/settings/index.ts";
import { inStack } from "./inStack.ts";

beforeAll(inStack);

type Settings = Readonly<Record<string, unknown>>;

/** Reads settings as they come from a stack: all of them text. */
function read(values: Settings) {
  const config = Object.entries({ context: "prod", ...values }).map(([key, value]) => [
    `k8sauth:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  pulumi.runtime.setAllConfig(Object.fromEntries(config));
  return readSettings();
}

const bound = { boundNamespaces: ["shop"] };
const pushed = { akeylessPush: true, akeylessGatewayUrl: "https://gateway:8000", akeylessAuthMethod: bound };
const keyless = { tokenFlow: false, certificateFlow: true, certificateRequest: "-----BEGIN CERTIFICATE REQUEST-----" };

test.each<[string, Settings, RegExp]>([
  ["no gateway", { akeylessGatewayUrl: "" }, /akeylessPush is true, but k8sauth:akeylessGatewayUrl is not set/],
  ["an API without TLS", { akeylessGatewayApi: "http://gateway:8000" }, /akeylessGatewayApi must be an https URL/],
  ["no bounds", { akeylessAuthMethod: {} }, /akeylessAuthMethod binds the auth method to nothing/],
  [
    "an unknown bound",
    { akeylessAuthMethod: { ...bound, boundPods: ["a"] } },
    /akeylessAuthMethod\.boundPods is not a field\. The fields are: name, boundNamespaces/,
  ],
  [
    "a bound that is no list",
    { akeylessAuthMethod: { boundNamespaces: "shop" } },
    /boundNamespaces must be a list of names/,
  ],
  [
    "an access id without its key",
    { akeylessAccessId: "p-1" },
    /akeylessAccessId is set, but k8sauth:akeylessSigningKey is not/,
  ],
  ["two auth methods", { akeylessAccessId: "p-1" }, /akeylessAuthMethod contradicts k8sauth:akeylessAccessId/],
  [
    "a role without text",
    { akeylessRoles: { "/r": { namespace: 1 } } },
    /akeylessRoles\["\/r"\]\.namespace must be text/,
  ],
  [
    "a rule with an unknown capability",
    { akeylessRoles: { "/r": {} }, akeylessRoleRules: { "/r": [{ path: "/a", capabilities: ["write"] }] } },
    /akeylessRoleRules\["\/r"\]\[0\]\.capabilities\[0\] must be read, create/,
  ],
  [
    "rules of a role that is not granted",
    { akeylessRoleRules: { "/r": [{ path: "/a", capabilities: ["read"] }] } },
    /akeylessRoleRules has the role \/r, which k8sauth:akeylessRoles does not grant/,
  ],
  ["a negative lifetime", { akeylessAuthMethod: { ...bound, jwtTtl: -1 } }, /jwtTtl must be a whole number/],
  [
    "an unknown property of the item",
    { akeylessCertificateItem: { tag: "a" } },
    /akeylessCertificateItem\.tag is not a field/,
  ],
  ["days that are none", { akeylessExpiryNoticeDays: [0] }, /akeylessExpiryNoticeDays\[0\] must be a number of days/],
  ["an account without namespace", { akeylessProofAccount: "shop" }, /akeylessProofAccount must be NAMESPACE\/NAME/],
  ["no key of the certificate", keyless, /the stack has no credential of a reviewer to push/],
])("a push to Akeyless: %s is refused", (_what, wrong, message) => {
  expect(() => read({ ...pushed, ...wrong })).toThrow(message);
});

test("all properties of the Akeyless resources have settings", () => {
  const method = {
    ...bound,
    boundIps: ["10.0.0.0/8"],
    gatewayBoundIps: ["192.0.2.1/32"],
    accessExpires: 1_900_000_000,
    jwtTtl: 30,
    auditLogsClaims: ["namespace"],
    allowedClientTypes: ["sdk"],
    productTypes: ["sm"],
    description: "for the shop",
    deleteProtection: true,
  };
  const item = { eventForwarder: "/mail", description: "reviewer", tags: ["prod"], deleteProtection: true };
  const rules = [{ path: "/shop/*", capabilities: ["read"], type: "item-rule" }];
  const { push } = read({
    ...pushed,
    akeylessAuthMethod: { ...method, expirationEventIn: [30, 7] },
    akeylessRoles: { "/shop/reader": { namespace: "shop" }, "/shop/writer": {} },
    akeylessRoleRules: { "shop/reader": rules },
    akeylessTokenExpiration: 600,
    akeylessCertificateItem: item,
  }).akeyless;
  expect(push).toMatchObject({
    authMethod: { ...method, name: "/k8sauth/stack", expirationEventIn: ["30", "7"] },
    roles: { "/shop/reader": { claims: { namespace: "shop" }, rules }, "/shop/writer": { claims: {} } },
    tokenExpiration: 600,
    certificateItem: item,
  });
});

const pods = { resources: ["pods"], verbs: ["get"] };

test.each<[string, Settings, RegExp]>([
  [
    "a wildcard that was not allowed",
    { rules: [{ ...pods, resources: ["*"] }] },
    /reader\.rules\[0\]\.resources has a wildcard/,
  ],
  ["a wildcard verb", { rules: [{ ...pods, verbs: ["*"] }] }, /verbs has a wildcard/],
  ["a verb that is none", { rules: [{ ...pods, verbs: ["read"] }] }, /verbs has read; known are get/],
  ["rules and a role", { clusterRole: "view", rules: [pods] }, /reader needs either rules or clusterRole/],
  ["neither", {}, /reader needs either rules or clusterRole/],
  ["a field that is none", { clusterRole: "view", role: "x" }, /reader\.role is not a field/],
  ["a namespace that cannot be", { clusterRole: "view", namespace: "Not_One" }, /reader\.namespace is "Not_One"/],
  [
    "a renewal before the token exists",
    { clusterRole: "view", tokenRenewBefore: 2_592_000 },
    /reader\.tokenRenewBefore is not less than tokenExpirationSeconds/,
  ],
])("a bearer-token user: %s is refused", (_what, user, message) => {
  expect(() => read({ bearerTokenUsers: { reader: { namespace: "shop", ...user } } })).toThrow(message);
});

test("a bearer-token user may have allowed wildcards, but not the name of a flow", () => {
  const user = { namespace: "shop", allowWildcards: true, rules: [{ resources: ["*"], verbs: ["*"] }] };
  expect(read({ bearerTokenUsers: { all: user } }).bearerTokenUsers).toMatchObject({ all: user });
  expect(() => read({ bearerTokenUsers: { token: user } })).toThrow(/bearerTokenUsers\.token is the name of a flow/);
});

test.each<[Settings, RegExp]>([
  [{ certificateCommonName: "system:admin" }, /certificateCommonName starts with "system:"/],
  [{ certificateOrganization: "system:masters" }, /certificateOrganization starts with "system:"/],
  [{ certificateOrganization: "kubeadm:cluster-admins" }, /certificateOrganization starts with "kubeadm:"/],
  [{ certificateCommonName: "x".repeat(65) }, /certificateCommonName has 65 bytes/],
  [{ certificateCommonName: "two\nlines" }, /certificateCommonName has control characters/],
  [{ certificateExpirationSeconds: 599 }, /certificateExpirationSeconds is "599"\. .*600 or more/],
  [{ certificateExpirationSeconds: 600, certificateRenewBefore: 600 }, /certificateRenewBefore is 600/],
  [{ certificateKeyType: "RSA1024" }, /certificateKeyType is "RSA1024"/],
  [
    { tokenMode: "tokenRequest", tokenExpirationSeconds: "soon" },
    /tokenExpirationSeconds is "soon"\. .*number of seconds/,
  ],
])("the settings of certificate and token %j are refused", (wrong, message) => {
  expect(() => read({ certificateFlow: true, ...wrong })).toThrow(message);
});

test("a product that accepts no certificate needs the token flow", () => {
  expect(() => read({ products: ["conjur"] })).toThrow(
    `products[0] is "conjur". Set it to one of: ${products.join(", ")}`,
  );
  expect(() => read({ products: ["consul"], tokenFlow: false, certificateFlow: true })).toThrow(
    /products has consul, which accepts no client certificate/,
  );
});
