/** The formatters of auth configs, as functions for programs in other languages. */
import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as gateways from "../../../gateways/index.ts";
import schema from "../../../provider/schema.json" with { type: "json" };
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { isSecret, type Properties, revealed, secretOf, unknownMark } from "../../support/plugin/properties.ts";
import { testCa } from "../../support/server.ts";

const part = (json: object) => Buffer.from(JSON.stringify(json)).toString("base64url");
const cluster = {
  host: "https://api.example.com:6443",
  caPem: testCa.certPem,
  issuer: "https://issuer.example",
  audience: "vault",
};
const access = { ...cluster, token: `${part({ alg: "RS256" })}.${part({ sub: "reviewer" })}.c2lnbmF0dXJl` };
const { certPem: certificatePem, keyPem: privateKeyPem } = makeCertificate({ commonName: "gateway" });
const certificate = { ...cluster, certificatePem, privateKeyPem };
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const signingKey = Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" })).toString("base64");
const method = { accessId: "p-123456", signingKey };
const options = { name: "prod", validateIssuer: true, tokenExpiration: 600 };
const rancher = { ...cluster, host: "https://rancher.example", apiKey: "token-x:secret", clusterId: "local" };
const user = { user: "gateway", cluster: "prod", namespace: "shop" };
const allowed = { allowedNamespaces: ["shop"], allowedNames: ["cart", "orders"] };
const login = { accessId: "p-123456", gatewayUrl: "https://g.example", authConfigName: "prod", audience: "" };

/** By function: the arguments, and the result in TypeScript. */
const calls: Readonly<Record<string, readonly [args: Properties, result: unknown]>> = {
  vaultAuthConfig: [access, gateways.vaultAuthConfig(access)],
  consulAuthMethodConfig: [access, gateways.consulAuthMethodConfig(access)],
  infisicalKubernetesAuth: [{ ...access, ...allowed }, gateways.infisicalKubernetesAuth(access, allowed)],
  kubeconfig: [{ ...certificate, ...user }, gateways.kubeconfig(certificate, user)],
  akeylessTokenAuthConfig: [
    { ...access, ...method, ...options },
    gateways.akeylessTokenAuthConfig(access, method, options),
  ],
  akeylessCertificateAuthConfig: [
    { ...certificate, ...method, ...options },
    gateways.akeylessCertificateAuthConfig(certificate, method, options),
  ],
  akeylessRancherAuthConfig: [
    { ...rancher, ...method, ...options },
    gateways.akeylessRancherAuthConfig(rancher, method, options),
  ],
  akeylessGatewayAccountAuthConfig: [
    { ...cluster, ...method, ...options },
    gateways.akeylessGatewayAccountAuthConfig(cluster, method, options),
  ],
  akeylessWorkloadLogin: [login, gateways.akeylessWorkloadLogin(login)],
};

let plugin: Plugin;
beforeAll(async () => {
  plugin = await Plugin.start();
});
afterAll(() => plugin?.[Symbol.asyncDispose]());

test("the functions of the schema are those that are tested here", () => {
  const names = Object.keys(schema.functions).map((token) => token.split(":").at(-1));
  expect(names.sort()).toEqual(Object.keys(calls).sort());
});

test.each(Object.entries(calls))("%s returns what the function of that name returns", async (name, [args, result]) => {
  const { outputs, failures } = await plugin.invoke(`k8sauth:index:${name}`, args);
  expect(failures).toEqual([]);
  expect(revealed(outputs)).toEqual({ result });
  expect(isSecret(outputs.result)).toBe(name !== "akeylessWorkloadLogin");
});

test("secret arguments are accepted", async () => {
  const { outputs } = await plugin.invoke("k8sauth:index:vaultAuthConfig", {
    ...access,
    token: secretOf(access.token),
  });
  expect(revealed(outputs)).toEqual({ result: calls.vaultAuthConfig?.[1] });
});

test("an argument that is not known yet makes the result unknown", async () => {
  const { outputs } = await plugin.invoke("k8sauth:index:vaultAuthConfig", { ...access, token: unknownMark });
  expect(outputs).toEqual({ result: unknownMark });
});

test.each([
  ["a value that cannot be right", { ...access, token: "no token" }, /^token_reviewer_jwt: is not a JWT/],
  ["a missing argument", cluster, /^token: "token" is required: The reviewer's JWT/],
  ["an unknown argument", { ...access, tokn: "x" }, /^tokn: Unknown property "tokn"/],
  ["a wrong type", { ...access, host: 7 }, /^host: "host" must be a string: https URL/],
])("%s is a failure", async (_what, args, message) => {
  const { failures } = await plugin.invoke("k8sauth:index:vaultAuthConfig", args);
  expect(failures).toEqual([expect.stringMatching(message)]);
  expect(failures.join()).not.toContain(access.token);
});

test("an unknown function is an error", async () => {
  const call = plugin.invoke("k8sauth:index:nothing", {});
  await expect(call).rejects.toThrow('TYPE_UNKNOWN: k8sauth has no function "k8sauth:index:nothing"');
});
