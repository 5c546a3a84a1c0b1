import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { readRequest } from "../../../../provider/certificate/csr.ts";
import { readIssued, requireMatch } from "../../../../provider/certificate/issuedCertificate.ts";
import type { CertificateSpec } from "../../../../provider/certificate/signingObject.ts";
import { signingName } from "../../../../provider/certificate/signingObject.ts";
import { commonNames, nameText, organizations } from "../../../../provider/x509/x509.ts";
import { type CertificateOptions, CN, forgeCertificate, O, requestPem } from "../../../support/crypto/forgery.ts";

const signer = "kubernetes.io/kube-apiserver-client";
const subject = [
  [O, "b"],
  [O, "a"],
  [CN, "gateway"],
] as const;
const otherKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
const now = new Date();
const at = (seconds: number) => new Date(now.getTime() + seconds * 1000);

async function wanted(more: Partial<CertificateSpec> = {}): Promise<CertificateSpec> {
  const request = await readRequest(requestPem({ subject }));
  const usages = ["digital signature", "key encipherment", "client auth"];
  return { request, signerName: signer, usages, expirationSeconds: 3600, ...more };
}

async function compare(options: CertificateOptions, more: Partial<CertificateSpec> = {}): Promise<void> {
  requireMatch(await readIssued(forgeCertificate({ subject, ...options })), await wanted(more), now);
}

describe("a certificate", () => {
  test.each<[string, CertificateOptions]>([
    ["as asked for", {}],
    [
      "with organizations in another order",
      {
        subject: [
          [CN, "gateway"],
          [O, "a"],
          [O, "b"],
        ],
      },
    ],
    ["with fewer usages", { keyUsage: 0x80 }],
    ["of a signer whose clock is 10 minutes ahead", { notBefore: at(599) }],
  ])("%s is taken", async (_what, options) => {
    await compare(options);
  });

  test.each<[string, CertificateOptions, RegExp]>([
    ["another key", { publicKey: otherKey }, /another key/],
    [
      "another name",
      {
        subject: [
          [O, "a"],
          [O, "b"],
          [CN, "Gateway"],
        ],
      },
      /subject is/,
    ],
    ["two names", { subject: [...subject, [CN, "admin"]] }, /subject is/],
    [
      "a group less",
      {
        subject: [
          [O, "a"],
          [CN, "gateway"],
        ],
      },
      /subject is/,
    ],
    ["a group more", { subject: [...subject, [O, "system:masters"]] }, /subject is.*system:masters/],
    [
      "a group with a separator in its name",
      {
        subject: [
          [O, "a,b"],
          [CN, "gateway"],
        ],
      },
      /subject is/,
    ],
    ["another attribute", { subject: [...subject, ["2.5.4.11", "unit"]] }, /subject is/],
    ["a CA's", { ca: true }, /certificate of a CA/],
    ["a server's too", { extended: ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"] }, /used for server auth/],
    ["a server's only", { extended: ["1.3.6.1.5.5.7.3.1"] }, /lack "client auth"/],
    ["for everything", { extended: [] }, /lack "client auth"/],
    ["for any use", { extended: ["1.3.6.1.5.5.7.3.2", "2.5.29.37.0"] }, /used for any/],
    ["a signer's", { keyUsage: 0xa4 }, /used for cert sign/],
    ["one that cannot sign", { keyUsage: 0x20 }, /lack "digital signature"/],
    ["names of servers", { dnsNames: ["kubernetes.default.svc"] }, /alternative names/],
    ["one from far in the future", { notBefore: at(700) }, /valid from .*clock says/],
    ["one that has expired", { notAfter: at(-1) }, /valid until .*clock says/],
  ])("that is %s is rejected", async (_what, options, expected) => {
    await expect(compare(options)).rejects.toThrow(expected);
    await expect(compare(options)).rejects.toMatchObject({ code: "CERTIFICATE_REJECTED" });
  });

  test("with everything wrong says all of it at once", async () => {
    await expect(compare({ ca: true, notAfter: at(-1), subject: [[CN, "x"]] })).rejects.toThrow(
      /subject.*CA.*valid until/,
    );
  });
});

describe("what a signer writes", () => {
  test("may have text around and CAs behind: the first is the certificate", async () => {
    const [leaf, ca] = [forgeCertificate(), forgeCertificate({ ca: true })];
    const { pem, leaf: read } = await readIssued(`hello\r\n${leaf.replaceAll("\n", "\r\n")}between\n${ca}after`);
    expect(pem).toBe(leaf + ca);
    expect(commonNames(read.subject)).toEqual(["gateway"]);
  });

  test.each<[string, string, RegExp]>([
    ["nothing", "", /no PEM/],
    ["no PEM", "hello", /no PEM/],
    ["a request", requestPem(), /block 1 of 1 is no certificate/],
    [
      "a certificate that cannot be read",
      "-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----",
      /cannot be read|is no/,
    ],
    [
      "a certificate with somebody else's CA",
      forgeCertificate() + forgeCertificate({ ca: true, publicKey: otherKey }),
      /none of the intermediate CAs signed it/,
    ],
    ["two certificates, none a CA's", forgeCertificate() + forgeCertificate(), /block 2 of 2 is no CA/],
  ])("is refused when it is %s", async (_what, text, expected) => {
    await expect(readIssued(text)).rejects.toThrow(expected);
  });
});

test("names are texts in which nothing can pass for something else", async () => {
  const request = await readRequest(
    requestPem({
      subject: [
        [O, 'a+b="c"'],
        ["2.5.4.99", "#x"],
        [CN, "gateway,O=system:masters"],
      ],
    }),
  );
  expect(nameText(request.subject)).toBe('O=a\\+b\\=\\"c\\",2.5.4.99=\\#x,CN=gateway\\,O\\=system:masters');
  expect(organizations(request.subject)).toEqual(['a+b="c"']);
});

test("the object's name follows from all that is asked, and from who asks", async () => {
  const base = await wanted();
  const me = { username: "me", uid: "" };
  const name = signingName(base, me);
  expect(name).toMatch(/^k8sauth-[0-9a-f]{20}$/);
  expect(signingName({ ...base, usages: [...base.usages].reverse() }, me)).toBe(name);
  const others = [
    signingName({ ...base, request: await readRequest(requestPem()) }, me),
    signingName({ ...base, signerName: "example.com/a" }, me),
    signingName({ ...base, usages: ["client auth"] }, me),
    signingName({ ...base, expirationSeconds: 700 }, me),
    signingName(base, { username: "you", uid: "" }),
    signingName(base, { username: "me", uid: "1" }),
  ];
  expect(new Set([name, ...others]).size).toBe(7);
});
