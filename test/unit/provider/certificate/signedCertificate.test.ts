import { describe, expect, test } from "vitest";
import { certificateInputs, certificateOutputs } from "../../../../provider/certificate/certificateFields.ts";
import { signedCertificate } from "../../../../provider/certificate/signedCertificate.ts";
import { readInputs } from "../../../../provider/protocol/fields.ts";
import { unknown } from "../../../../provider/protocol/wire.ts";
import { defaultKey, requestPem } from "../../../support/crypto/forgery.ts";

const base = { host: "https://k8s.example.com", caPem: "", csrPem: requestPem() };

async function failures(more: object): Promise<string> {
  const inputs = readInputs<never>({ ...base, ...more }, certificateInputs);
  const found = [...inputs.failures, ...((await signedCertificate.check?.(inputs)) ?? [])];
  return found.map(({ property, reason }) => `${property}: ${reason}`).join("\n");
}

describe("inputs", () => {
  test.each<[string, object]>([
    ["the least", {}],
    [
      "everything",
      {
        privateKeyPem: defaultKey().export({ type: "pkcs8", format: "pem" }).toString(),
        signerName: "example.com/client",
        usages: ["client auth", "digital signature"],
        expirationSeconds: 600,
        renewBefore: 599,
        approval: "external",
        proof: "self",
        timeoutSeconds: 1,
      },
    ],
    [
      "what is not known yet",
      { csrPem: unknown, privateKeyPem: unknown, usages: ["client auth", unknown], renewBefore: unknown },
    ],
  ])("that are good: %s", async (_what, more) => {
    expect(await failures(more)).toBe("");
  });

  test.each<[string, object, RegExp]>([
    ["10 minutes are the least", { expirationSeconds: 599 }, /^expirationSeconds: .*599.*600/],
    ["more than the API can hold", { expirationSeconds: 2 ** 31 }, /^expirationSeconds: /],
    ["renewed before it begins", { expirationSeconds: 600, renewBefore: 600 }, /^renewBefore: .*renewed by every up/],
    ["renewed after its end", { renewBefore: 0 }, /^renewBefore: /],
    ["no patience", { timeoutSeconds: 0 }, /^timeoutSeconds: /],
    ["an unknown way of approval", { approval: "manual" }, /^approval: .*"manual".*"auto" or "external"/],
    ["an unknown proof", { proof: "no" }, /^proof: .*"tokenReview" or "self"/],
    ["usages that are no list", { usages: "client auth" }, /^usages: "usages" must be a list of strings/],
    ["usages of a server", { usages: ["client auth", "server auth"] }, /^usages: .*server auth/],
    ["a signer of kubelets", { signerName: "kubernetes.io/kube-apiserver-client-kubelet" }, /^signerName: /],
    ["a broken request", { csrPem: "x" }, /^csrPem: CSR_MALFORMED/],
    ["a key of another request", { privateKeyPem: "x" }, /^privateKeyPem: PRIVATE_KEY_MALFORMED/],
    [
      "several at once",
      { approval: "manual", csrPem: "x", expirationSeconds: 1 },
      /expirationSeconds[\s\S]*approval[\s\S]*csrPem/,
    ],
  ])("that are bad: %s", async (_what, more, expected) => {
    expect(await failures(more)).toMatch(expected);
  });
});

test("only what is secret goes in as such, and nothing of it comes out", () => {
  const secrets = Object.keys(certificateInputs).filter((name) => certificateInputs[name]?.secret);
  expect(secrets.sort()).toEqual(["privateKeyPem"]);
  for (const name of secrets) expect(certificateOutputs).not.toHaveProperty(name);
});
