import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  apiServer,
  certificatesPem,
  keyPairPem,
  privateKeyPem,
  rawIssuer,
  rawJwt,
  signingKey,
} from "../../../gateways/encoding.ts";
import { oddRsaKeys } from "../../support/crypto/oddRsaKeys.ts";
import { base64, ca, client, jwt, signingKeyPem, wrapped } from "./fixtures.ts";

const crlf = (text: string) => text.replaceAll("\n", "\r\n");
/** A block whose body lacks its second half. */
const shortened = (pem: string) => {
  const lines = pem.trimEnd().split("\n");
  return [...lines.slice(0, lines.length / 2), lines.at(-1)].join("\n");
};
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const ecPem = ec.export({ type: "sec1", format: "pem" }).toString();
const encryptedPem = ec.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" }).toString();

/** Every form that people have one text in, of which there is one right reading. */
const forms: readonly (readonly [form: string, of: (pem: string) => string])[] = [
  ["as it is", (pem) => pem],
  ["with CRLF", crlf],
  ["without a final newline", (pem) => pem.trimEnd()],
  ["with text around it", (pem) => `subject=CN=x\n${pem}\nBag Attributes\n`],
  ["indented, as in YAML", (pem) => `\n${pem.replaceAll(/^/gm, "    ")}`],
  ["as base64", base64],
  ["as base64 that a terminal wrapped", wrapped],
  ["as base64 wrapped with CRLF", (pem) => crlf(wrapped(pem))],
  ["as base64 of CRLF", (pem) => base64(crlf(pem))],
];

describe.each(forms)("PEM %s", (_form, of) => {
  test("becomes blocks of lines that end with one newline", () => {
    expect(certificatesPem("ca", of(ca))).toBe(ca);
    expect(privateKeyPem("key", of(client.keyPem))).toBe(client.keyPem);
    const fields = { certificate: "certificate", key: "key" };
    const pair = { certificatePem: of(client.certPem), privateKeyPem: of(client.keyPem) };
    expect(keyPairPem(fields, pair)).toEqual({ certificate: client.certPem, key: client.keyPem });
  });

  test("is a signing key as base64 in one line", () => {
    expect(signingKey("signing-key", of(signingKeyPem))).toBe(base64(signingKeyPem));
    expect(signingKey("signing-key", of(signingKeyPem))).not.toMatch(/\s/);
  });
});

describe("certificates", () => {
  test("of a bundle stay in order", () => {
    expect(certificatesPem("ca", `${crlf(ca)}\n# second\n${client.certPem}`)).toBe(ca + client.certPem);
  });

  test("are separated from a private key, because their field is not secret", () => {
    expect(certificatesPem("ca", client.keyPem + ca)).toBe(ca);
  });
});

test("a key beside its curve or certificate is the key", () => {
  const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  expect(privateKeyPem("key", parameters + ecPem)).toBe(ecPem);
  expect(privateKeyPem("key", client.certPem + client.keyPem)).toBe(client.keyPem);
});

describe("ambiguous input is refused with the name of the field, and not shown:", () => {
  const pair = (certificatePem: string, key: string) =>
    keyPairPem({ certificate: "the-field", key: "the-field" }, { certificatePem, privateKeyPem: key });
  test.each<[what: string, read: (field: string, value: string) => unknown, value: string, reason: RegExp]>([
    ["no CA", certificatesPem, "", /neither PEM nor base64/],
    ["a CA's path", certificatesPem, "/etc/ssl/ca.pem!", /neither PEM nor base64/],
    ["a CA encoded twice", certificatesPem, base64(base64(ca)), /encoded twice/],
    ["a CA cut off", certificatesPem, ca.slice(0, 300), /holds no certificate.*cut off/],
    ["a CA of which base64 is cut off", certificatesPem, base64(ca).slice(0, 300), /holds no certificate.*cut off/],
    ["a CA that lacks its middle", certificatesPem, shortened(ca), /certificate that cannot be read/],
    ["a key for a CA", certificatesPem, client.keyPem, /holds no certificate/],
    ["a certificate for a key", privateKeyPem, client.certPem, /holds no private key/],
    ["two keys", privateKeyPem, client.keyPem + ecPem, /2 private keys/],
    ["a key encoded twice", privateKeyPem, base64(base64(ecPem)), /encoded twice/],
    ["a key that lacks its middle", privateKeyPem, shortened(client.keyPem), /private key that cannot be read/],
    ["a key with a passphrase", privateKeyPem, encryptedPem, /is encrypted/],
    ["another certificate's key", (_field, key) => pair(client.certPem, key), ecPem, /not the private key of the/],
    ["a signing key encoded twice", signingKey, base64(base64(signingKeyPem)), /encoded twice/],
    ["a signing key cut off", signingKey, base64(signingKeyPem).slice(0, 500), /holds no private key/],
    ["a signing key of another kind", signingKey, ecPem, /not an RSA key/],
    ["the documents' example of a signing key", signingKey, base64("-----BEGIN RRSCQLm"), /holds no private key/],
    ["something else for a signing key", signingKey, "not a key!", /neither PEM nor base64/],
    ["an issuer with a space", rawIssuer, "https://issuer .example", /white space/],
    ["an issuer in quotes", rawIssuer, '"https://issuer.example"', /quotes/],
    ["a host without TLS", apiServer, "http://api.example", /is not an https URL/],
    ["a host without a scheme", apiServer, "api.example:6443", /is not an https URL/],
    ["a host with credentials", apiServer, "https://me:hush@api.example", /without credentials/],
    ["a host with a query", apiServer, "https://api.example/?x=1", /query/],
  ])("%s", (_what, read, value, reason) => {
    const attempt = () => read("the-field", value);
    expect(attempt).toThrow(expect.objectContaining({ code: "GATEWAY_INPUT_INVALID", field: "the-field" }));
    expect(attempt).toThrow(reason);
    const secret = value.split("\n").find((line) => line.length > 30 && !line.startsWith("-----"));
    if (secret) expect(attempt).not.toThrow(secret.slice(0, 20));
  });
});

test("host and issuer are trimmed and keep path and spelling", () => {
  expect(apiServer("host", " https://API.example:443/k8s/clusters/c-1/\r\n")).toBe(
    "https://api.example/k8s/clusters/c-1",
  );
  expect(rawIssuer("issuer", "https://issuer.example/\n")).toBe("https://issuer.example/");
  expect(rawIssuer("issuer", "kubernetes/serviceaccount")).toBe("kubernetes/serviceaccount");
});

describe("a JWT", () => {
  test("is unchanged except for surrounding white space", () => {
    expect(rawJwt("token", `${jwt}\n`)).toBe(jwt);
  });

  test("in the base64 of a Secret is refused with this reason", () => {
    expect(() => rawJwt("token-reviewer-jwt", base64(jwt))).toThrow(/^token-reviewer-jwt: is base64 of a JWT/);
    expect(() => rawJwt("token-reviewer-jwt", wrapped(jwt))).toThrow(/is base64 of a JWT/);
  });

  test.each([
    "",
    "a.b",
    "a.b.c",
    `${jwt}.d`,
    `Bearer ${jwt}`,
    jwt.replace(".", ". "),
    jwt.split(".").slice(0, 2).join("."),
    jwt.slice(10),
    `${jwt.split(".").slice(0, 2).join(".")}.AAAAA`,
    `${jwt.slice(0, 40)}\n${jwt.slice(40)}`,
    base64(base64(jwt)),
  ])("%j is none", (text) => {
    expect(() => rawJwt("token", text)).toThrow(expect.objectContaining({ field: "token" }));
  });
});

test.each(oddRsaKeys)("a private RSA key with $name is refused, and not shown", ({ privateKey }) => {
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const refused = /^key: holds a private key that has .*RSA (modulus|exponent)/;
  expect(() => signingKey("key", base64(pem))).toThrow(refused);
  expect(() => privateKeyPem("key", pem)).toThrow(refused);
  const pair = { certificatePem: client.certPem, privateKeyPem: pem };
  expect(() => keyPairPem({ certificate: "certificate", key: "key" }, pair)).toThrow(refused);
});
