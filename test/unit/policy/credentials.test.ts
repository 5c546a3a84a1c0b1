import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { certificateRequest } from "../../support/crypto/certificateRequest.ts";
import { judge, judgeStack, passed, unknown } from "./judge.ts";

const day = 24 * 3600;
const secretType = "kubernetes:core/v1:Secret";
const tokenType = "k8sauth:index:ReviewerToken";
const signedType = "k8sauth:index:SignedCertificate";
const csrType = "kubernetes:certificates.k8s.io/v1:CertificateSigningRequest";

function tokenSecret(account: string) {
  const metadata = { name: "token", annotations: { "kubernetes.io/service-account.name": account } };
  return { type: secretType, props: { metadata, type: "kubernetes.io/service-account-token" } };
}

const opaque = { type: secretType, props: { metadata: { name: "x" }, type: "Opaque" } };

test("token-secret-for-reviewers refuses the token Secret of any other account", () => {
  const rule = "token-secret-for-reviewers";
  expect(judge(rule, tokenSecret("reader")).violations).toEqual([expect.stringContaining("ServiceAccount reader.")]);
  expect(judge(rule, tokenSecret("gateway-token-reviewer"))).toEqual(passed);
  expect(judge(rule, tokenSecret("reader"), { reviewers: ["reader"] })).toEqual(passed);
  expect(judge(rule, opaque)).toEqual(passed);
  expect(judge(rule, tokenSecret(unknown)).unknown).toBe(true);
  expect(judge(rule, { type: secretType, props: { type: unknown } }).unknown).toBe(true);
});

test("token-secret-discouraged reports every token Secret", () => {
  expect(judge("token-secret-discouraged", tokenSecret("gateway-token-reviewer")).violations).toHaveLength(1);
  expect(judge("token-secret-discouraged", opaque)).toEqual(passed);
  expect(judge("token-secret-discouraged", { type: secretType, props: { type: unknown } }).unknown).toBe(true);
});

test("token-lifetime refuses a request for a long lifetime", () => {
  const token = (props: object) => ({ type: tokenType, props });
  const asked = (expirationSeconds: unknown) => token({ mode: "tokenRequest", expirationSeconds });
  expect(judge("token-lifetime", asked(31 * day)).violations).toHaveLength(1);
  expect(judge("token-lifetime", asked(30 * day))).toEqual(passed);
  expect(judge("token-lifetime", asked(2 * day), { maxDays: 1 }).violations).toHaveLength(1);
  expect(judge("token-lifetime", token({ mode: "secret", expirationSeconds: 90 * day }))).toEqual(passed);
  expect(judge("token-lifetime", asked(unknown)).unknown).toBe(true);
});

test("workload-audience reports reviewers of tokens that the API server accepts, by default or by name", () => {
  const said = (props: object) => judgeStack("workload-audience", [{ type: tokenType, name: "reviewer", props }]);
  expect(said({ audience: "", audienceAcceptedByDefault: true }).violations).toEqual([
    expect.stringMatching(
      /^The reviewer reviewer reviews tokens for the API server's own audience\. Set k8sauth:audience/,
    ),
  ]);
  expect(said({ audience: "api", audienceAcceptedByDefault: true }).violations).toEqual([
    expect.stringMatching(/tokens for the audience api, which is one of the API server's\./),
  ]);
  expect(said({ audience: "gateway", audienceAcceptedByDefault: false })).toEqual(passed);
  expect(said({ audience: "gateway" }).unknown).toBe(true);
});

describe("certificates", () => {
  const signed = (props: object) => ({ type: signedType, props });
  const csr = (spec: unknown) => ({ type: csrType, props: { spec } });

  test("certificate-lifetime refuses a request for a long lifetime, or without one", () => {
    const rule = "certificate-lifetime";
    expect(judge(rule, signed({ expirationSeconds: 91 * day })).violations).toHaveLength(1);
    expect(judge(rule, signed({ expirationSeconds: 90 * day }))).toEqual(passed);
    expect(judge(rule, signed({}))).toEqual(passed);
    expect(judge(rule, signed({}), { maxDays: 30 }).violations).toHaveLength(1);
    expect(judge(rule, csr({})).violations).toEqual([expect.stringContaining("It names no lifetime.")]);
    expect(judge(rule, csr({ expirationSeconds: day }))).toEqual(passed);
    expect(judge(rule, csr({ expirationSeconds: unknown })).unknown).toBe(true);
    expect(judge(rule, csr(unknown)).unknown).toBe(true);
  });

  test("certificate-signer refuses all other signers", () => {
    const rule = "certificate-signer";
    expect(judge(rule, csr({ signerName: "kubernetes.io/kubelet-serving" })).violations).toHaveLength(1);
    expect(judge(rule, csr({ signerName: "kubernetes.io/kube-apiserver-client" }))).toEqual(passed);
    expect(judge(rule, signed({}))).toEqual(passed);
    expect(judge(rule, signed({ signerName: "example.com/own" }), { signers: ["example.com/own"] })).toEqual(passed);
    expect(judge(rule, signed({ signerName: unknown })).unknown).toBe(true);
  });

  test("certificate-usages refuses usages that a client does not need, and unknown names", () => {
    const rule = "certificate-usages";
    expect(judge(rule, csr({ usages: ["client auth", "server auth", "cert sign"] })).violations).toHaveLength(2);
    expect(judge(rule, csr({ usages: ["digital signature"] })).violations).toEqual([
      expect.stringContaining('does not ask for the usage "client auth"'),
    ]);
    expect(judge(rule, csr({ usages: ["digital signature", "key encipherment", "client auth"] }))).toEqual(passed);
    expect(judge(rule, signed({}))).toEqual(passed);
    expect(judge(rule, csr({ usages: [unknown, "server auth"] }))).toMatchObject({
      violations: { length: 1 },
      unknown: true,
    });
  });

  test("key-strength refuses short keys and other kinds, and ignores the curve of an RSA key", () => {
    const key = (props: object) => ({ type: "tls:index/privateKey:PrivateKey", props });
    const rule = "key-strength";
    expect(judge(rule, key({ algorithm: "RSA", rsaBits: 1024 })).violations).toHaveLength(1);
    expect(judge(rule, key({ algorithm: "RSA", rsaBits: 2048, ecdsaCurve: "P224" }))).toEqual(passed);
    expect(judge(rule, key({ algorithm: "RSA" }), { minRsaBits: 3072 }).violations).toHaveLength(1);
    expect(judge(rule, key({ algorithm: "ECDSA" })).violations).toEqual([expect.stringContaining("curve P224")]);
    expect(judge(rule, key({ algorithm: "ECDSA", ecdsaCurve: "P256", rsaBits: 1024 }))).toEqual(passed);
    expect(judge(rule, key({ algorithm: "ED25519" }))).toEqual(passed);
    expect(judge(rule, key({ algorithm: "DSA" })).violations).toHaveLength(1);
    expect(judge(rule, key({ algorithm: unknown })).unknown).toBe(true);
    expect(judge(rule, key({ algorithm: "RSA", rsaBits: unknown })).unknown).toBe(true);
  });

  test("certificate-subject refuses names that Kubernetes reserves", () => {
    const request = (subject: unknown) => ({ type: "tls:index/certRequest:CertRequest", props: { subject } });
    const rule = "certificate-subject";
    expect(judge(rule, request({ commonName: "gateway", organization: "system:masters" })).violations).toHaveLength(1);
    expect(judge(rule, request({ commonName: "system:admin" })).violations).toHaveLength(1);
    expect(judge(rule, request({ organization: "kubeadm:cluster-admins" })).violations).toHaveLength(1);
    expect(judge(rule, request({ commonName: "gateway", organization: "example" }))).toEqual(passed);
    expect(judge(rule, request({ commonName: unknown, organization: "system:masters" }))).toMatchObject({
      violations: { length: 1 },
      unknown: true,
    });
  });

  test("certificate-subject reads requests, whatever types their strings have", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const verdicts = (pem: string) => [
      judge("certificate-subject", { type: signedType, props: { csrPem: pem } }),
      judge("certificate-subject", {
        type: "kubernetes:certificates.k8s.io/v1:CertificateSigningRequest",
        props: { spec: { request: Buffer.from(pem).toString("base64") } },
      }),
    ];
    const refused = { violations: [expect.stringContaining("a name that starts with system:")], unknown: false };
    for (const subject of [
      { commonName: "system:kube-controller-manager" },
      { commonName: `system:node:${"n".repeat(40)}`, organization: "example" },
      { commonName: "gateway", organization: "system:masters" },
      { commonName: "gateway", organization: "kubeadm:cluster-admins" },
    ]) {
      expect(verdicts(certificateRequest(privateKey, subject))).toMatchObject([refused, refused]);
    }
    const plain = certificateRequest(privateKey, { commonName: "system:admin" });
    expect(verdicts(plain.replace("-----\n", "-----\nX-Name: a-b\n\n"))).toMatchObject([refused, refused]);
    expect(verdicts(certificateRequest(privateKey, { commonName: "ecosystem:x" }))).toEqual([passed, passed]);
    const key = publicKey.export({ type: "spki", format: "der" });
    for (const name of [
      derString(0x13, "system:a"),
      derString(0x1e, "\0s\0y\0s\0t\0e\0m\0:\0a"),
      derString(0x0c, `system:${"a".repeat(300)}`),
    ]) {
      const der = Buffer.concat([name, key]);
      const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
      expect(verdicts(pem)).toMatchObject([refused, refused]);
    }
  });
});

/** A string in DER. */
function derString(tag: number, content: string): Buffer {
  const body = Buffer.from(content, "latin1");
  const length = body.length < 0x80 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

describe("credential-near-expiry, on 1 June", () => {
  const rule = "credential-near-expiry";
  const credential = (notBefore: string, notAfter: string | undefined) => ({
    type: tokenType,
    name: "reviewer",
    props: { notBefore: `${notBefore}Z`, notAfter: notAfter && `${notAfter}Z` },
  });

  test("reports credentials that expire soon or have expired, and no others", () => {
    expect(judgeStack(rule, [credential("2026-03-10T00:00:00", "2026-06-08T00:00:00")]).violations).toHaveLength(1);
    expect(judgeStack(rule, [credential("2026-03-01T00:00:00", "2026-05-31T23:59:59")]).violations).toEqual([
      expect.stringContaining("expired at 2026-05-31T23:59:59Z"),
    ]);
    expect(judgeStack(rule, [credential("2026-05-01T00:00:00", "2026-07-30T00:00:00")])).toEqual(passed);
  });

  test("ignores a credential with a short lifetime until its last third", () => {
    expect(judgeStack(rule, [credential("2026-05-31T23:59:00", "2026-06-01T00:09:00")])).toEqual(passed);
    expect(judgeStack(rule, [credential("2026-05-31T23:51:00", "2026-06-01T00:01:00")]).violations).toHaveLength(1);
  });

  test("warns earlier if its setting says so", () => {
    const inTwentyDays = [credential("2026-03-20T00:00:00", "2026-06-21T00:00:00")];
    expect(judgeStack(rule, inTwentyDays)).toEqual(passed);
    expect(judgeStack(rule, inTwentyDays, { days: 30 }).violations).toHaveLength(1);
  });

  test("ignores a token that does not expire, and does not pass one whose expiry is unknown", () => {
    expect(judgeStack(rule, [{ type: tokenType, props: { notBefore: "", notAfter: "" } }])).toEqual(passed);
    expect(judgeStack(rule, [credential("2026-05-01T00:00:00", undefined)]).unknown).toBe(true);
    expect(judgeStack(rule, [{ type: signedType, props: { notAfter: unknown } }]).unknown).toBe(true);
  });
});

describe("issued-certificate", () => {
  const rule = "issued-certificate";

  function issued(days: number, ...key: string[]) {
    const args = [
      "req",
      "-x509",
      "-nodes",
      "-subj",
      "/CN=gateway",
      "-keyout",
      "/dev/null",
      "-days",
      String(days),
      ...key,
    ];
    const certificatePem = execFileSync("openssl", [...args, "-addext", "basicConstraints=critical,CA:FALSE"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return [{ type: signedType, name: "client", props: { certificatePem } }];
  }

  test("refuses a long lifetime and weak keys of any request", () => {
    expect(judgeStack(rule, issued(90, "-newkey", "rsa:2048"))).toEqual(passed);
    expect(judgeStack(rule, issued(9, "-newkey", "rsa:1024")).violations).toEqual([
      expect.stringContaining("1024 bits"),
    ]);
    const curve = (name: string) => ["-newkey", "ec", "-pkeyopt", `ec_paramgen_curve:${name}`];
    expect(judgeStack(rule, issued(9, ...curve("prime256v1")))).toEqual(passed);
    expect(judgeStack(rule, issued(91, ...curve("prime256v1"))).violations).toHaveLength(1);
    expect(judgeStack(rule, issued(9, ...curve("secp224r1"))).violations).toHaveLength(1);
  });

  test("refuses a value that is not a certificate, and does not pass one that does not exist yet", () => {
    expect(judgeStack(rule, [{ type: signedType, props: { certificatePem: "?" } }]).violations).toHaveLength(1);
    expect(judgeStack(rule, [{ type: signedType, props: {} }]).unknown).toBe(true);
  });
});
