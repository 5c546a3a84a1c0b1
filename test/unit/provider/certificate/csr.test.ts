import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import forge from "node-forge";
import { describe, expect, test } from "vitest";
import { toPem } from "../../../../kubernetes/pem.ts";
import { readRequest, requireOwnKey } from "../../../../provider/certificate/csr.ts";
import {
  defaultUsages,
  requireAllowed,
  signerFailure,
  usagesFailure,
} from "../../../../provider/certificate/csrRules.ts";
import { certificateRequest } from "../../../support/crypto/certificateRequest.ts";
import { CN, defaultKey, forgeRequest, O, requestPem } from "../../../support/crypto/forgery.ts";
import { oddRsaKeys } from "../../../support/crypto/oddRsaKeys.ts";

const signer = "kubernetes.io/kube-apiserver-client";
const { BMPSTRING, PRINTABLESTRING, T61STRING } = { ...forge.asn1.Type, T61STRING: 20 };

function madeOf(key: KeyObject): string {
  return certificateRequest(key, { commonName: "gateway" });
}

describe("a request", () => {
  test.each([
    [
      "RSA 2048",
      () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
      ["digital signature", "key encipherment", "client auth"],
    ],
    ["P-256", () => generateKeyPairSync("ec", { namedCurve: "P-256" }), ["digital signature", "client auth"]],
    ["P-384", () => generateKeyPairSync("ec", { namedCurve: "P-384" }), ["digital signature", "client auth"]],
    ["P-521", () => generateKeyPairSync("ec", { namedCurve: "P-521" }), ["digital signature", "client auth"]],
    ["Ed25519", () => generateKeyPairSync("ed25519"), ["digital signature", "client auth"]],
  ])("with a key of %s is read, and asks for what that key can do", async (_kind, pair, usages) => {
    const { privateKey, publicKey } = pair();
    const pem = madeOf(privateKey);
    const request = await readRequest(pem);
    expect(request).toMatchObject({ pem, commonName: "gateway", organizations: [], altNames: [], wantsCa: false });
    expect(request.publicKey.equals(publicKey)).toBe(true);
    expect(defaultUsages(request)).toEqual(usages);
    const format = privateKey.asymmetricKeyType === "ec" ? "sec1" : "pkcs8";
    requireOwnKey(request, privateKey.export({ type: format, format: "pem" }).toString());
  });

  test("has one form, whatever its label, line ends and surroundings", async () => {
    const pem = requestPem();
    const variant = `From a tool\r\n${pem.replaceAll(" CERTIFICATE", " NEW CERTIFICATE").replaceAll("\n", "\r\n")}\r\nthe end`;
    const request = await readRequest(variant);
    expect(request.pem).toBe(pem);
    expect(request.sha256).toBe(
      createHash("sha256")
        .update(Buffer.from(pem.split("\n").slice(1, -2).join(""), "base64"))
        .digest("hex"),
    );
  });

  test("is read with names in every text type", async () => {
    const utf16 = Buffer.from("Größe", "utf16le").swap16().toString("latin1");
    const subject = [
      [O, "Zürich"],
      [O, "Plain", PRINTABLESTRING],
      [O, Buffer.from("Köln", "latin1").toString("latin1"), T61STRING],
      [CN, "gateway-münchen"],
    ] as const;
    const request = await readRequest(requestPem({ subject }));
    expect(request).toMatchObject({ commonName: "gateway-münchen", organizations: ["Köln", "Plain", "Zürich"] });
    // forge writes this type from characters, not from bytes.
    const wide = await readRequest(
      requestPem({ subject: [[CN, Buffer.from(utf16, "latin1").swap16().toString("utf16le"), BMPSTRING]] }),
    );
    expect(wide.commonName).toBe("Größe");
  });
});

describe("what is no request is refused", () => {
  const flipped = (offsetFromEnd: number) => {
    const der = forgeRequest();
    der[der.length - offsetFromEnd] = (der[der.length - offsetFromEnd] ?? 0) ^ 1;
    return toPem("CERTIFICATE REQUEST", der);
  };
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const curve = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
  const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = defaultKey().export({ type: "pkcs8", format: "pem" }).toString();

  test.each<[string, () => string, RegExp]>([
    ["no PEM", () => "hello", /CSR_MALFORMED.*no PEM/],
    ["base64 of PEM", () => Buffer.from(requestPem()).toString("base64"), /CSR_MALFORMED.*base64 of PEM.*Decode/],
    ["two requests", () => requestPem() + requestPem(), /CSR_MALFORMED.*2 PEM blocks/],
    ["a private key", () => key, /CSR_MALFORMED.*"PRIVATE KEY"/],
    [
      "PEM with headers",
      () => requestPem().replace("REQUEST-----\n", "REQUEST-----\nProc-Type: 4\n\n"),
      /CSR_MALFORMED.*headers/,
    ],
    ["PEM of something else", () => toPem("CERTIFICATE REQUEST", Buffer.from("hello")), /CSR_MALFORMED.*not DER/],
    [
      "DER that is cut off",
      () => toPem("CERTIFICATE REQUEST", forgeRequest().subarray(0, -9)),
      /CSR_MALFORMED.*not DER/,
    ],
    [
      "DER with more behind",
      () => toPem("CERTIFICATE REQUEST", Buffer.concat([forgeRequest(), Buffer.of(5, 0)])),
      /CSR_MALFORMED/,
    ],
    [
      "BER",
      () =>
        toPem(
          "CERTIFICATE REQUEST",
          Buffer.concat([Buffer.of(0x30, 0x80), forgeRequest().subarray(4), Buffer.of(0, 0)]),
        ),
      /CSR_MALFORMED.*BER/,
    ],
    ["another version", () => requestPem({ version: 1 }), /CSR_MALFORMED.*version/],
    [
      "two common names",
      () =>
        requestPem({
          subject: [
            [CN, "a"],
            [CN, "b"],
          ],
        }),
      /CSR_MALFORMED.*several common names/,
    ],
    [
      "text that is not UTF-8",
      () => requestPem({ subject: [[CN, "\xff\xfe", forge.asn1.Type.UTF8]] }),
      /CSR_MALFORMED.*does not allow/,
    ],
    ["a changed signature", () => flipped(1), /CSR_SIGNATURE_INVALID.*does not verify/],
    ["a changed subject", () => requestPem({ publicKey: other.publicKey }), /CSR_SIGNATURE_INVALID.*does not verify/],
    [
      "SHA-1",
      () => requestPem({ algorithm: "rsa-sha1" }),
      /CSR_SIGNATURE_INVALID.*1\.2\.840\.113549\.1\.1\.5.*SHA-256/,
    ],
    ["RSA of 1024 bits", () => requestPem(weak), /CSR_KEY_WEAK.*RSA of 1024 bits/],
    ...oddRsaKeys.map(({ name, publicKey }): [string, () => string, RegExp] => [
      `RSA with ${name}`,
      () => requestPem({ publicKey }),
      /CSR_KEY_WEAK: The key of "csrPem" has .*RSA (modulus|exponent)/,
    ]),
    [
      "a curve that Kubernetes does not know",
      () => requestPem({ ...curve, algorithm: "ec-sha256" }),
      /CSR_KEY_WEAK.*secp256k1/,
    ],
  ])("%s", async (_what, text, expected) => {
    const error = await readRequest(text()).catch((reason: { code: string; message: string }) => reason);
    expect(error).toBeInstanceOf(Error);
    const { code, message } = error as { code: string; message: string };
    expect(`${code}: ${message}`).toMatch(expected);
    expect(message).not.toContain(key.split("\n")[1]);
  });

  test("every byte of a request that is changed is noticed", async () => {
    const der = forgeRequest();
    for (let at = 0; at < der.length; at += 7) {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      await expect(readRequest(toPem("CERTIFICATE REQUEST", changed))).rejects.toThrow(/csrPem/);
    }
  });

  test("random bytes are an error, and no crash", async () => {
    for (let seed = 0; seed < 300; seed++) {
      const noise = createHash("sha512").update(String(seed)).digest();
      const der = seed % 2 ? noise : Buffer.concat([Buffer.of(0x30, noise.length), noise]);
      await expect(readRequest(toPem("CERTIFICATE REQUEST", der))).rejects.toThrow(/CSR|csrPem/);
    }
  });
});

describe("names that are never approved", () => {
  const refused = async (options: Parameters<typeof requestPem>[0], as = signer) => {
    const request = await readRequest(requestPem(options));
    requireAllowed(request, as);
  };
  test.each<[string, string]>([
    ["a user of Kubernetes itself", "system:admin"],
    ["one in other letters", "System:Admin"],
    ["a user of kubeadm", "kubeadm:cluster-admins"],
    ["one behind a blank", " system:admin"],
    ["a line break", "gate\nway"],
    ["a NUL", "gateway\0"],
    ["a character that turns the direction of writing", "gate\u202eway"],
    ["a character without width", "gate\u200bway"],
    ["a line separator", "gate\u2028way"],
    ["blanks around", "gateway "],
    ["65 bytes", "g".repeat(65)],
    ["65 bytes in fewer characters", `${"ü".repeat(32)}g`],
    ["nothing", ""],
  ])("%s, as common name and as organization", async (_what, value) => {
    await expect(refused({ subject: [[CN, value]] })).rejects.toThrow(/The subject of "csrPem"/);
    await expect(
      refused({
        subject: [
          [O, value],
          [CN, "gateway"],
        ],
      }),
    ).rejects.toThrow(/The subject of "csrPem"/);
  });

  test("none at all", async () => {
    await expect(refused({ subject: [[O, "example"]] })).rejects.toThrow(/no common name/);
  });

  test("control characters anywhere in the subject", async () => {
    await expect(
      refused({
        subject: [
          ["2.5.4.11", "a\tb"],
          [CN, "gateway"],
        ],
      }),
    ).rejects.toThrow(/control/);
  });

  test.each(["gateway", "g".repeat(64), "ü".repeat(32), "CN=admin,O=system:masters", "a system:b"])(
    "and one that is good: %s",
    async (value) => {
      await refused({
        subject: [
          [O, value],
          [CN, value],
        ],
      });
    },
  );

  test("a CA's certificate, and alternative names that only other servers would read", async () => {
    await expect(refused({ ca: true })).rejects.toThrow(/certificate of a CA/);
    await expect(refused({ dnsNames: ["a.example", "b.example"] })).rejects.toThrow(/2 subject alternative name/);
    await refused({ dnsNames: ["a.example"] }, "example.com/client");
  });
});

test("a private key of another request, an encrypted one and none at all are refused, and not quoted", async () => {
  const request = await readRequest(requestPem());
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const encrypted = privateKey
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
    .toString();
  for (const [text, expected] of [
    [pem, /is not the key/],
    [encrypted, /is encrypted/],
    ["-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----", /cannot be read/],
  ] as const) {
    let message = "";
    try {
      requireOwnKey(request, text);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(expected);
    expect(message).not.toContain(text.split("\n")[1]);
  }
  requireOwnKey(request, defaultKey().export({ type: "pkcs1", format: "pem" }).toString());
});

test("usages and signers are those of client certificates", () => {
  expect(usagesFailure(["client auth"], signer)).toBeUndefined();
  expect(usagesFailure(["digital signature"], signer)).toMatch(/lacks "client auth"/);
  expect(usagesFailure(["client auth", "server auth"], signer)).toMatch(/"server auth", for which .* does not sign/);
  expect(usagesFailure(["client auth", "client auth"], signer)).toMatch(/twice/);
  expect(usagesFailure(["client auth", "server auth"], "example.com/client")).toBeUndefined();
  expect(signerFailure(signer)).toBeUndefined();
  expect(signerFailure("example.com/client")).toBeUndefined();
  expect(signerFailure("kubernetes.io/kubelet-serving")).toMatch(/signs no client certificates/);
  for (const bad of ["", "client", "example.com", "/client", "EXAMPLE.com/a b"]) {
    expect(signerFailure(bad)).toMatch(/Expected a domain and a path/);
  }
});
