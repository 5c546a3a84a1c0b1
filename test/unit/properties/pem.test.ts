/** PEM, base64 and DER: what is read of keys, certificates and requests, and what a message shows of them. */
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { certificatesPem, privateKeyPem, rawJwt } from "../../../gateways/encoding.ts";
import { GatewayInputError } from "../../../gateways/index.ts";
import { isKubeError } from "../../../kubernetes/errors.ts";
import { caCertificates } from "../../../kubernetes/kubeconfig/caCertificates.ts";
import { pemBlocks, toPem } from "../../../kubernetes/pem.ts";
import { samePem } from "../../../provider/akeyless/keyEncoding.ts";
import { readRequest } from "../../../provider/certificate/csr.ts";
import { pinDigest } from "../../../provider/cluster/caPin.ts";
import { ProviderError } from "../../../provider/protocol/errors.ts";
import { DerError, readDer, readOid } from "../../../provider/x509/der.ts";
import { readCertificate } from "../../../provider/x509/x509.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { forgeCertificate, forgeRequest } from "../../support/crypto/forgery.ts";
import { damaged, rejectionOf, runs, textWith, thrownBy } from "./arbitraries.ts";

const ca = makeCertificate({ commonName: "ca" }).certPem.replaceAll("\r\n", "\n");
const leaf = forgeCertificate();
const keyPem = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
  type: "pkcs8",
  format: "pem",
}) as string;
const marks = ["-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "-----BEGIN ", "-----"];

/** The same PEM as tools and people hand it on. */
function handedOn(pem: string): fc.Arbitrary<string> {
  const around = fc.stringMatching(/^[ a-zA-Z:=]{0,20}$/);
  return fc
    .record({
      before: around,
      after: around,
      indent: fc.constantFrom("", "  ", "\t"),
      end: fc.constantFrom("\n", "\r\n", "  \n"),
    })
    .map(({ before, after, indent, end }) =>
      [before, ...pem.trimEnd().split("\n"), after].map((line) => `${indent}${line}`).join(end),
    );
}

/** Base64 of it, in one line, wrapped, or with line breaks around. */
function asBase64(text: string): fc.Arbitrary<string> {
  const whole = Buffer.from(text).toString("base64");
  return fc.constantFrom(whole, `${whole}\n`, whole.replaceAll(/.{64}/g, "$&\n"), whole.replaceAll(/.{76}/g, "$&\r\n"));
}

describe("PEM", () => {
  test("that is written is read again, whatever its bytes are", () => {
    const label = fc.constantFrom("CERTIFICATE", "CERTIFICATE REQUEST", "EC PRIVATE KEY");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(label, fc.uint8Array({ minLength: 1, maxLength: 100 })), { maxLength: 3 }),
        (blocks) => {
          const text = blocks.map(([name, der]) => toPem(name, Buffer.from(der))).join("");
          const read = pemBlocks(text.replaceAll("\n", "\r\n"));
          expect(read.map(({ label, der }) => ({ label, der }))).toEqual(
            blocks.map(([name, der]) => ({ label: name, der: Buffer.from(der) })),
          );
          expect(read.map((block) => block.text).join("")).toBe(text);
        },
      ),
    );
  });

  test("is read in time that grows with its length alone", () => {
    const count = 100_000;
    const started = performance.now();
    for (const part of ["-----BEGIN A-----\n", "-----END A-----\n", " ", "-----BEGIN A", "\r"]) {
      expect(pemBlocks(part.repeat(count))).toEqual([]);
      expect(pemBlocks(`-----BEGIN B-----\n${part.repeat(count)}`)).toEqual([]);
    }
    // A scan to the end for each line would take minutes.
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test("of certificates has one form for the API server and for gateways, however it was handed on", () => {
    const bundle = `${ca}${leaf}`;
    fc.assert(
      fc.property(fc.oneof(handedOn(bundle), handedOn(bundle).chain(asBase64)), (given) => {
        expect(certificatesPem("k8s-ca-cert", given)).toBe(bundle);
        expect(samePem(given, bundle)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(handedOn(bundle), (given) => {
        expect(caCertificates(given, "the cluster")).toBe(bundle);
      }),
    );
  });

  test("is read, or refused with an error that names its field, whatever it is", () => {
    fc.assert(
      fc.property(textWith(...marks, ca, leaf), (text) => {
        const ofCluster = thrownBy(() =>
          expect(caCertificates(caCertificates(text, "c"), "c")).toBe(caCertificates(text, "c")),
        );
        if (ofCluster !== undefined)
          expect(isKubeError(ofCluster, "KUBECONFIG_CA_INVALID"), String(ofCluster)).toBe(true);
        const ofGateway = thrownBy(() => certificatesPem("k8s-ca-cert", text));
        if (ofGateway !== undefined) expect(ofGateway).toMatchObject({ field: "k8s-ca-cert" });
      }),
    );
  });

  test("of a private key that is damaged is refused without showing it", () => {
    fc.assert(
      fc.property(damaged(Buffer.from(keyPem)), fc.boolean(), (bytes, encoded) => {
        const given = encoded ? bytes.toString("base64") : bytes.toString("latin1");
        const error = thrownBy(() => privateKeyPem("k8s-client-key", given));
        if (error === undefined) return;
        expect(error).toBeInstanceOf(GatewayInputError);
        const shown = (error as Error).message;
        for (let at = 0; at + 12 <= given.length; at += 4) expect(shown).not.toContain(given.slice(at, at + 12));
      }),
      runs(300),
    );
  });
});

test("a JWT is accepted, base64 of one is refused as such, and nothing else is accepted or shown", () => {
  const claims = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 });
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  fc.assert(
    fc.property(claims, fc.constantFrom("", " ", "\n"), (payload, space) => {
      const jwt = `${encode({ alg: "RS256" })}.${encode(payload)}.c2ln`;
      expect(rawJwt("token", `${space}${jwt}${space}`)).toBe(jwt);
      expect(thrownBy(() => rawJwt("token", Buffer.from(jwt).toString("base64")))).toMatchObject({
        message: expect.stringContaining("base64 of a JWT"),
      });
    }),
  );
  fc.assert(
    fc.property(textWith("eyJ", ".", "e30"), (text) => {
      const error = thrownBy(() => expect(rawJwt("token", text).split(".")).toHaveLength(3));
      if (error !== undefined) expect(error).toBeInstanceOf(GatewayInputError);
    }),
  );
});

test("a pin is the same in hexadecimal, with colons and in base64, and every other text is none", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const digest = Buffer.from(bytes);
      const hex = digest.toString("hex");
      const colons = hex.toUpperCase().replace(/..(?=.)/g, "$&:");
      for (const pin of [
        hex,
        colons,
        `sha256:${hex}`,
        `sha256/${digest.toString("base64")}`,
        digest.toString("base64url"),
      ]) {
        expect(pinDigest(pin)).toBe(hex);
      }
    }),
  );
  fc.assert(
    fc.property(textWith("sha256:", ":", "ab", "=".repeat(43), "a".repeat(43)), (text) => {
      expect(pinDigest(text) ?? "0".repeat(64)).toMatch(/^[0-9a-f]{64}$/);
    }),
  );
});

describe("DER", () => {
  const request = forgeRequest({ dnsNames: ["a.example"] });
  const certificate = pemBlocks(forgeCertificate({ dnsNames: ["a.example"] }))[0]?.der ?? Buffer.alloc(0);
  const element = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 12 }));
  const elements = fc
    .array(element, { maxLength: 4 })
    .map((list) => Buffer.concat(list.map(([tag, content]) => Buffer.of(tag, content.length, ...content))));

  test("is read as what it encodes, or refused", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          elements,
          damaged(request),
          fc.uint8Array({ maxLength: 40 }).map((some) => Buffer.from(some)),
        ),
        async (bytes) => {
          const error = await rejectionOf(readDer(bytes).then(({ raw }) => expect(raw.equals(bytes)).toBe(true)));
          if (error !== undefined) expect(error).toBeInstanceOf(DerError);
        },
      ),
      runs(300),
    );
  });

  test("of an object identifier is read in dotted form, or refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 20 }), async (content) => {
        const element = await readDer(Buffer.of(0x06, content.length, ...content)).catch(() => undefined);
        const error = await rejectionOf(readOid(element).then((oid) => expect(oid).toMatch(/^[0-2](\.\d+)+$/)));
        if (error !== undefined) expect(error).toBeInstanceOf(DerError);
      }),
      runs(300),
    );
  });

  test("of a damaged request is refused with a code of the catalogue, or says the same as before", async () => {
    await fc.assert(
      fc.asyncProperty(damaged(request), async (bytes) => {
        const reading = readRequest(toPem("CERTIFICATE REQUEST", bytes));
        const error = await rejectionOf(
          reading.then((read) => expect(read).toMatchObject({ commonName: "gateway", organizations: [] })),
        );
        if (error === undefined) return;
        expect(error).toBeInstanceOf(ProviderError);
        expect((error as ProviderError).code).toMatch(/^CSR_(MALFORMED|SIGNATURE_INVALID|KEY_WEAK)$/);
      }),
      runs(500),
    );
  });

  test("of a damaged certificate is read or refused", async () => {
    await fc.assert(
      fc.asyncProperty(damaged(certificate), async (bytes) => {
        const error = await rejectionOf(readCertificate(bytes));
        if (error !== undefined) expect(error).toBeInstanceOf(DerError);
      }),
      runs(500),
    );
  });
});
