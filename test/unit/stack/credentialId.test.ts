import { describe, expect, test } from "vitest";
import { certificateCredentialId, tokenCredentialId } from "../../../stack/credentialId.ts";

const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2lnbmF0dXJl`;

describe("the name in the audit log", () => {
  test("of a token is its jti; the token of a Secret has none", () => {
    expect(tokenCredentialId(jwt({ jti: "7d1c", sub: "system:serviceaccount:n:a" }))).toBe("JTI=7d1c");
    expect(tokenCredentialId(jwt({ sub: "system:serviceaccount:n:a" }))).toBe("");
  });

  test.each([
    ["v1.32.0", "X509SHA256=ab0c"],
    ["v1.36.3", "X509SHA256=ab0c"],
    ["v1.33.1-eks-595af52", "X509SHA256=ab0c"],
    ["v2.0.0", "X509SHA256=ab0c"],
    ["v1.31.9", ""],
    ["v1.9.0", ""],
    ["", ""],
  ])("of a certificate at version %j is %j", (version, name) => {
    expect(certificateCredentialId("AB:0C", version)).toBe(name);
  });
});
