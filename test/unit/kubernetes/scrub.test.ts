import { expect, test } from "vitest";
import { scrub } from "../../../kubernetes/index.ts";

test.each([
  "A CA needs basic constraints.",
  "The server asks for Basic authentication, and for Bearer credentials",
  "the token: it has expired, and the server refused it",
  "Set token: a token of digits must be in quotes",
])("a sentence stays as it is: %s", (sentence) => {
  expect(scrub(sentence)).toBe(sentence);
});

test.each([
  ["Authorization: Bearer 0123456789abcdef", "0123456789abcdef"],
  ["Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"],
  ["bearer abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz"],
  ["token: hunter\n  user: x", "hunter"],
  ["password=hunter", "hunter"],
  ["password: hunter and more", "hunter"],
  ["token: hUnter and more", "hUnter"],
  ['{"token":"hunter two","a":1}', "hunter"],
  ["client-key-data: LS0tLS1CRUdJTg==", "LS0tLS1CRUdJTg=="],
  ["it printed eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "eyJ"],
  ["got k8s-aws-v1.aHR0cHM6Ly9zdHMuZXhhbXBsZQ and", "aHR0cHM6Ly9zdHM"],
  ["got ya29.a0AfB_byC-canary", "canary"],
  ["sha256~canary_of-a-token", "canary"],
  ["hvs.canaryOfAToken1", "canary"],
])("a credential is removed: %s", (text, secret) => {
  expect(scrub(text)).not.toContain(secret);
});
