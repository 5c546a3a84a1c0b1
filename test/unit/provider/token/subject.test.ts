import { describe, expect, test } from "vitest";
import type { ReviewerTokenInputs } from "../../../../provider/token/reviewerFields.ts";
import { requireSubject } from "../../../../provider/token/reviewerProof.ts";
import type { Credential } from "../../../../provider/token/tokenRequest.ts";

const inputs = { namespace: "auth", serviceAccountName: "reviewer", secretName: "token" } as ReviewerTokenInputs;
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

function credential(kind: Credential["kind"], claims?: object): Credential {
  const token = claims ? `${encoded({ alg: "RS256" })}.${encoded(claims)}.` : "nothing";
  return { kind, token, notBefore: "", notAfter: "", renewAfter: "" };
}

describe.each([
  ["Secret", "Secret auth/token", "delete the Secret"],
  ["TokenRequest", "TokenRequest for ServiceAccount auth/reviewer", "leads to an API server"],
] as const)("the subject of a token by %s", (kind, where, remedy) => {
  test("is the ServiceAccount", () => {
    expect(() =>
      requireSubject(credential(kind, { sub: "system:serviceaccount:auth:reviewer" }), inputs),
    ).not.toThrow();
  });

  test.each([
    ["TOKEN_SUBJECT_OTHER", { sub: "system:serviceaccount:auth:other" }],
    ["TOKEN_SUBJECT_OTHER", {}],
    ["TOKEN_MALFORMED", undefined],
  ])("else the error %s says where it comes from and what to do (%j)", (code, claims) => {
    expect(() => requireSubject(credential(kind, claims), inputs)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(`${where}[^]*${remedy}`) }),
    );
  });
});
