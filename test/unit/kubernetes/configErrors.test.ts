import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConnection } from "../../../kubernetes/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { testCa } from "../../support/server.ts";
import { base64, failureOf, folder, kubeconfig, type Parts, token, useFolder } from "./configFixture.ts";

useFolder();

const identity = makeCertificate({ commonName: "u1", issuer: testCa });
const otherIdentity = makeCertificate({ commonName: "u1", issuer: testCa });
const ecKeyPem = () =>
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();

describe("what is wrong with it", () => {
  test("malformed YAML names the line and quotes nothing", async () => {
    const error = await failureOf(loadConnection({ kubeconfig: `a: 1\nusers: [{token: ${token}\nb: }` }, {}));
    expect(error.code).toBe("KUBECONFIG_MALFORMED");
    expect(error.message).toMatch(/line \d/);
  });

  test.each([
    ["a list", "[1,\n2]"],
    ["clusters that are no list", '{"clusters": {}}'],
    ["another kind", '{"kind": "Secret"}'],
  ])("%s is not a kubeconfig", async (_what, content) => {
    expect((await failureOf(loadConnection({ kubeconfig: content }, {}))).code).toBe("KUBECONFIG_MALFORMED");
  });

  test.each<[string, Parts, { context?: string; cluster?: string }, string, string]>([
    ["an unknown context", {}, { context: "prod" }, "KUBECONFIG_CONTEXT_UNKNOWN", "It has: dev"],
    ["no current context", { current: "" }, {}, "KUBECONFIG_NO_CONTEXT", "dev"],
    [
      "a context without a cluster",
      { context: { cluster: undefined } },
      {},
      "KUBECONFIG_CLUSTER_UNKNOWN",
      "names no cluster",
    ],
    ["an unknown cluster", {}, { cluster: "c2" }, "KUBECONFIG_CLUSTER_UNKNOWN", "c2"],
    ["a context without a user", { context: { user: undefined } }, {}, "KUBECONFIG_USER_UNKNOWN", "names no user"],
    ["an unknown user", { context: { user: "u2" } }, {}, "KUBECONFIG_USER_UNKNOWN", "u1"],
    ["a server that is no URL", { cluster: { server: "c1:6443" } }, {}, "KUBECONFIG_SERVER_INVALID", "https://"],
    ["a server without encryption", { cluster: { server: "http://c1" } }, {}, "KUBECONFIG_INSECURE", "https"],
    [
      "a server that is not verified",
      { cluster: { "insecure-skip-tls-verify": true } },
      {},
      "KUBECONFIG_INSECURE",
      "certificate-authority-data",
    ],
    [
      "a CA that is none",
      { cluster: { "certificate-authority-data": base64("nothing") } },
      {},
      "KUBECONFIG_CA_INVALID",
      "PEM",
    ],
    [
      "a certificate without its key",
      { user: { "client-certificate-data": base64("x") } },
      {},
      "KUBECONFIG_CREDENTIAL_INVALID",
      "client-key",
    ],
    [
      "a key file that is not there",
      { user: { "client-key": "none.key", "client-certificate": "none.crt" } },
      {},
      "KUBECONFIG_CREDENTIAL_MISSING",
      "none.crt",
    ],
    [
      "a certificate file in a folder below, whose folder is not that of the kubeconfig",
      { user: { "client-key": "certs/none.key", "client-certificate": "certs/none.crt" } },
      {},
      "KUBECONFIG_CREDENTIAL_MISSING",
      "A relative path in a kubeconfig starts at the folder of the kubeconfig.",
    ],
  ])("%s", async (_what, parts, choice, code, hint) => {
    const error = await failureOf(loadConnection({ kubeconfig: kubeconfig(parts), ...choice }, {}));
    expect(error.code).toBe(code);
    expect(error.message).toContain(hint);
  });

  test.each([
    ["a certificate for an RSA key with an EC key", ecKeyPem(), /issued for an RSA key, and the key is an EC key/],
    ["a certificate with another RSA key", otherIdentity.keyPem, /issued for another RSA key/],
    ["a key that is not PEM", "key", /the key is not a PEM private key/],
  ])("%s is refused before any request, by the names of both fields", async (_what, keyPem, problem) => {
    const data = { "client-certificate-data": base64(identity.certPem), "client-key-data": base64(keyPem) };
    const error = await failureOf(loadConnection({ kubeconfig: kubeconfig({ user: data }) }, {}));
    expect(error.code).toBe("KUBECONFIG_CREDENTIAL_INVALID");
    expect(error.message).toMatch(/client-certificate-data and client-key-data of user "u1"/);
    expect(error.message).toMatch(problem);
    writeFileSync(join(folder, "tls.crt"), identity.certPem);
    writeFileSync(join(folder, "tls.key"), keyPem);
    const files = { "client-certificate": "tls.crt", "client-key": "tls.key" };
    writeFileSync(join(folder, "k"), kubeconfig({ user: files }));
    const named = await failureOf(loadConnection({ kubeconfig: join(folder, "k") }, {}));
    expect(named.message).toContain(`client-certificate (${join(folder, "tls.crt")})`);
    expect(named.message).toContain(`client-key (${join(folder, "tls.key")})`);
  });

  test.each<[string, Parts, RegExp]>([
    ["a token of digits", { user: { token: 4711 } }, /users\[0\]\.user\.token is not text/],
    ["an exec plugin that is text", { user: { exec: "aws" } }, /users\[0\]\.user\.exec is not a mapping/],
    [
      "data that is not base64",
      { cluster: { "certificate-authority-data": "#" } },
      /clusters\[0\]\.cluster\.certificate-authority-data is not base64/,
    ],
  ])("%s is refused by the name of its field", async (_what, parts, problem) => {
    const error = await failureOf(loadConnection({ kubeconfig: kubeconfig(parts) }, {}));
    expect(error.code).toBe("KUBECONFIG_MALFORMED");
    expect(error.message).toMatch(problem);
    expect(error.message).not.toContain("4711");
  });

  test("a CA file that is missing is named, relative to the kubeconfig", async () => {
    writeFileSync(
      join(folder, "k"),
      kubeconfig({ cluster: { "certificate-authority-data": undefined, "certificate-authority": "pki/ca.crt" } }),
    );
    const error = await failureOf(loadConnection({ kubeconfig: join(folder, "k") }, {}));
    expect(error.code).toBe("KUBECONFIG_CA_MISSING");
    expect(error.message).toContain(join(folder, "pki", "ca.crt"));
  });
});
