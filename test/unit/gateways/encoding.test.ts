import { describe, expect, test } from "vitest";
import { asBase64Pem, base64Pem, cleanPem, rawJwt } from "../../../gateways/encoding.ts";
import { base64, ca, jwt, signingKeyPem, wrapped } from "./fixtures.ts";

const crlf = (text: string) => text.replaceAll("\n", "\r\n");

describe("PEM", () => {
  test.each([
    ["as it is", ca],
    ["with CRLF", crlf(ca)],
    ["without a final newline", ca.trimEnd()],
    ["with text around it", `subject=CN=ca\n${ca}\nBag Attributes\n`],
    ["indented, as in YAML", `\n${ca.replaceAll(/^/gm, "    ")}`],
  ])("%s becomes blocks of lines that end with one newline", (_what, pem) => {
    expect(cleanPem("ca", pem)).toBe(ca);
  });

  test("keeps every block of a bundle, in order", () => {
    expect(cleanPem("ca", `${crlf(ca)}\n# second\n${signingKeyPem}`)).toBe(ca + signingKeyPem);
  });

  test.each(["", "hush", base64(ca), "-----BEGIN CERTIFICATE-----\nMII"])(
    "is refused with the field's name: %#",
    (text) => {
      expect(() => cleanPem("k8s-ca-cert", text)).toThrow(
        expect.objectContaining({ code: "GATEWAY_INPUT_INVALID", field: "k8s-ca-cert" }),
      );
    },
  );

  test("as base64 is one line", () => {
    expect(base64Pem("ca", crlf(ca))).toBe(base64(ca));
    expect(base64Pem("ca", ca)).not.toMatch(/\s/);
  });
});

describe("a key that may have come in any form", () => {
  test.each([
    ["PEM", signingKeyPem],
    ["PEM with CRLF", crlf(signingKeyPem)],
    ["base64 of PEM", base64(signingKeyPem)],
    ["base64 that a terminal wrapped", wrapped(signingKeyPem)],
    ["base64 wrapped with CRLF", crlf(wrapped(signingKeyPem))],
    ["base64 of PEM with CRLF", base64(crlf(signingKeyPem))],
  ])("%s is base64 of PEM in one line", (_what, value) => {
    expect(asBase64Pem("signing-key", value)).toBe(base64(signingKeyPem));
  });

  test.each([
    ["encoded twice", base64(base64(signingKeyPem)), /encoded twice/],
    ["cut off", base64(signingKeyPem).slice(0, 500), /PEM/],
    ["something else", "not a key!", /neither PEM nor base64/],
    ["empty", "", /neither PEM nor base64/],
  ])("%s is refused without being shown", (_what, value, reason) => {
    expect(() => asBase64Pem("signing-key", value)).toThrow(reason);
    expect(() => asBase64Pem("signing-key", value)).toThrow(/^signing-key: /);
    if (value) expect(() => asBase64Pem("signing-key", value)).not.toThrow(value.slice(0, 10));
  });
});

describe("a JWT", () => {
  test("is taken as it is, without blanks around it", () => {
    expect(rawJwt("token", `${jwt}\n`)).toBe(jwt);
  });

  test("that is still the base64 of a Secret is refused, and the reason says so", () => {
    expect(() => rawJwt("token-reviewer-jwt", base64(jwt))).toThrow(/^token-reviewer-jwt: is base64 of a JWT/);
    expect(() => rawJwt("token-reviewer-jwt", wrapped(jwt))).toThrow(/is base64 of a JWT/);
  });

  test.each(["", "a.b", "a.b.c.d", "Bearer a.b.c", "a b.c.d"])("%j is none", (text) => {
    expect(() => rawJwt("token", text)).toThrow(expect.objectContaining({ field: "token" }));
  });
});
