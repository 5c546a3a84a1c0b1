import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { idOf } from "../../../engine/tls/identity.ts";
import { deriveOutputs } from "../../../engine/tls/privateKey.ts";
import { isSecret, type Properties, secret, unknown, type Value, withoutSecrets } from "../../../engine/values.ts";
import { create, der, provider, reasons, replaces, requestUrn, run } from "./tlsFixtures.ts";

const pkcs8 = { type: "pkcs8", format: "pem" } as const;
const p256 = String(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey.export(pkcs8));

async function request(inputs: Properties, keyPem = p256): Promise<string> {
  const { outputs } = await create(requestUrn, { privateKeyPem: secret(keyPem), ...inputs });
  return String(outputs.certRequestPem);
}

/** Subject and alternative names as openssl prints them, after it has verified the signature. */
function read(pem: string): { subject: string; text: string } {
  const options = ["-noout", "-subject", "-text", "-nameopt", "utf8,sep_comma_plus"];
  const text = run("openssl", ["req", "-in", "$0", "-verify", ...options], pem);
  return { text, subject: /^subject=(.*)$/m.exec(text)?.[1] ?? "" };
}

/** The ASN.1 string types of the subject, in order. */
function stringTypes(pem: string): string[] {
  return [...run("openssl", ["asn1parse", "-in", "$0"], pem).matchAll(/prim: (\w+STRING) /g)]
    .map((match) => match[1] as string)
    .filter((type) => type !== "BIT" && type !== "OCTET");
}

const keys = [
  ["RSA", "sha256WithRSAEncryption", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
  ...(
    [
      ["secp224r1", "SHA256"],
      ["prime256v1", "SHA256"],
      ["secp384r1", "SHA384"],
      ["secp521r1", "SHA512"],
    ] as const
  ).map(
    ([namedCurve, hash]) => ["ECDSA", `ecdsa-with-${hash}`, () => generateKeyPairSync("ec", { namedCurve })] as const,
  ),
  ["ED25519", "ED25519", () => generateKeyPairSync("ed25519")],
] as const;

describe.each(keys)("a request for a key of %s", (algorithm, signature, generate) => {
  const { privateKey } = generate();

  it(`is signed with ${signature} and carries the key`, async () => {
    const keyPem = String(privateKey.export(pkcs8));
    const inputs = { privateKeyPem: secret(keyPem), subject: { commonName: "gateway", organization: "Org" } };
    const { id, outputs } = await create(requestUrn, inputs);
    const pem = String(outputs.certRequestPem);
    expect(outputs).toMatchObject({ id, keyAlgorithm: algorithm });
    expect(id).toBe(idOf(der(pem)));
    const { subject, text } = read(pem);
    expect(subject).toBe("O=Org,CN=gateway");
    expect(text).toContain(`Signature Algorithm: ${signature}`);
    const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "pem" });
    expect(run("openssl", ["req", "-in", "$0", "-noout", "-pubkey"], pem)).toBe(publicKey);
  });

  it("takes the key in its traditional form, too", async () => {
    const { privateKeyPem } = withoutSecrets(deriveOutputs(privateKey));
    const keyPem = String(privateKeyPem);
    expect(read(await request({ subject: { commonName: "x" } }, keyPem)).subject).toBe("CN=x");
  });
});

describe("the contents of a request", () => {
  it("are in PEM under the header that API servers take", async () => {
    const pem = await request({ subject: { commonName: "x" } });
    expect(pem).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----\n[\s\S]+\n-----END CERTIFICATE REQUEST-----\n$/);
  });

  it("hold every part of the subject in the order of Pulumi's provider", async () => {
    const subject = {
      commonName: "cn",
      country: "DE",
      emailAddress: "a@b.example",
      locality: "L",
      organization: "O",
      organizationalUnit: "OU",
      postalCode: "123",
      province: "P",
      serialNumber: "42",
      streetAddresses: ["S2", "S1"],
    };
    expect(read(await request({ subject })).subject).toBe(
      "C=DE,ST=P,L=L,street=S1+street=S2,postalCode=123,O=O,OU=OU,CN=cn,serialNumber=42,emailAddress=a@b.example",
    );
  });

  it("hold texts as PrintableString where that is possible, else as UTF8String; mail addresses as IA5String", async () => {
    const types = async (subject: Value) => stringTypes(await request({ subject }));
    expect(await types({ commonName: "system:x (a) +,-./=?'" })).toEqual(["PRINTABLESTRING"]);
    expect(await types({ organization: "a@b", commonName: "a_b" })).toEqual(["UTF8STRING", "UTF8STRING"]);
    expect(await types({ organization: "a*", commonName: "a&b" })).toEqual(["UTF8STRING", "UTF8STRING"]);
    expect(await types({ emailAddress: "a@b.example" })).toEqual(["IA5STRING"]);
  });

  it("hold names beyond ASCII and of any length", async () => {
    expect(read(await request({ subject: { commonName: "Zoë 世界 🚀" } })).subject).toBe("CN=Zoë 世界 🚀");
    for (const length of [99, 127, 128, 255, 256, 65_535, 65_536]) {
      const commonName = "x".repeat(length);
      expect(read(await request({ subject: { commonName } })).subject).toBe(`CN=${commonName}`);
    }
  });

  it("leave out an empty common name, but not an empty organization", async () => {
    expect(read(await request({ subject: { commonName: "", organization: "" } })).subject).toBe("O=");
    for (const inputs of [{}, { subject: {} }]) expect(read(await request(inputs)).subject).toBe("");
  });

  it("have no extensions when none are asked for", async () => {
    for (const inputs of [{}, { dnsNames: [], ipAddresses: [], uris: [] }]) {
      const structure = run("openssl", ["asn1parse", "-in", "$0"], await request(inputs));
      expect(structure).toMatch(/l= +0 cons: cont \[ 0 \]/);
      expect(structure).not.toContain("Extension Request");
    }
  });

  it("hold the alternative names that are asked for", async () => {
    const { text } = read(
      await request({
        dnsNames: ["a.example", "*.b.example"],
        ipAddresses: ["10.0.0.1", "::1", "::ffff:1.2.3.4", "2001:db8::1:0:0:2", "1:2:3:4:5:6:7:8", "::"],
        uris: ["SPIFFE://x/y", "https://a.example/%41/ü b?q=1"],
      }),
    );
    const names = [
      "DNS:a.example",
      "DNS:*.b.example",
      "IP Address:10.0.0.1",
      "IP Address:0:0:0:0:0:0:0:1",
      "IP Address:1.2.3.4",
      "IP Address:2001:DB8:0:0:1:0:0:2",
      "IP Address:1:2:3:4:5:6:7:8",
      "IP Address:0:0:0:0:0:0:0:0",
      "URI:spiffe://x/y",
      "URI:https://a.example/%41/%C3%BC%20b?q=1",
    ];
    expect(/Subject Alternative Name: *\n *(.*)$/m.exec(text)?.[1]).toBe(names.join(", "));
  });
});

describe("the state of a request", () => {
  const absent = secret({ replace: { raw: null } });

  it("has the outputs that Pulumi's provider keeps", async () => {
    const inputs = { privateKeyPem: secret(p256), subject: { commonName: "x" } };
    const { outputs } = await create(requestUrn, inputs);
    const names = ["__pulumi_raw_state_delta", "certRequestPem", "id", "keyAlgorithm", "privateKeyPem", "subject"];
    expect(Object.keys(outputs).sort()).toEqual(names);
    expect(outputs).toMatchObject(inputs);
    const parts = ["country", "emailAddress", "locality", "organization", "organizationalUnit", "postalCode"];
    const ps = Object.fromEntries(
      [...parts, "province", "serialNumber", "streetAddresses"].map((part) => [part, absent]),
    );
    expect(outputs.__pulumi_raw_state_delta).toEqual({
      obj: {
        ps: {
          dnsNames: absent,
          ipAddresses: absent,
          uris: absent,
          subject: { plu: { i: { obj: { ps, renamed: { streetAddresses: "street_address" } } } } },
        },
      },
    });
  });

  it("says of an absent subject that it is an empty block, and of lists that they are lists", async () => {
    const { outputs } = await create(requestUrn, { privateKeyPem: p256, dnsNames: secret(["a"]), uris: [] });
    expect(outputs.__pulumi_raw_state_delta).toEqual({
      obj: {
        ps: {
          dnsNames: { arr: {} },
          ipAddresses: absent,
          uris: { arr: {} },
          subject: secret({ replace: { raw: [] } }),
        },
      },
    });
  });

  it("keeps secret what is secret, wherever it is", async () => {
    const { inputs } = await provider.check({
      urn: requestUrn,
      olds: undefined,
      news: { privateKeyPem: p256, subject: { commonName: secret("x") }, dnsNames: secret(["a"]) },
    });
    expect(inputs.privateKeyPem).toEqual(secret(p256));
    const { outputs } = await create(requestUrn, inputs);
    expect(Object.keys(outputs).filter((key) => isSecret(outputs[key]))).toEqual(["privateKeyPem", "dnsNames"]);
    expect(outputs.subject).toEqual({ commonName: secret("x") });
    expect(read(String(outputs.certRequestPem)).subject).toBe("CN=x");
  });

  it("takes null for absent", async () => {
    const inputs = { privateKeyPem: p256, subject: { commonName: "x", organization: null }, dnsNames: null };
    expect(await reasons(requestUrn, inputs)).toEqual([]);
    const { outputs } = await create(requestUrn, inputs);
    expect(outputs.subject).toEqual({ commonName: "x" });
    expect(await replaces(requestUrn, outputs, inputs)).toEqual([]);
  });
});

describe("inputs of a request", () => {
  it.each([
    [{}, ["privateKeyPem"]],
    [{ privateKeyPem: "no key" }, ["privateKeyPem"]],
    [{ privateKeyPem: p256, subject: "CN=x" }, ["subject"]],
    [{ privateKeyPem: p256, subject: { commonname: "x" } }, ["subject.commonname"]],
    [{ privateKeyPem: p256, subject: { organization: ["x"] } }, ["subject.organization"]],
    [{ privateKeyPem: p256, subject: { streetAddresses: "x" } }, ["subject.streetAddresses"]],
    [{ privateKeyPem: p256, subject: { emailAddress: "ü@x.example" } }, ["subject.emailAddress"]],
    [{ privateKeyPem: p256, dnsNames: ["ü.example"] }, ["dnsNames"]],
    [{ privateKeyPem: p256, ipAddresses: ["10.0.0.1/8"] }, ["ipAddresses"]],
    [{ privateKeyPem: p256, ipAddresses: ["fe80::1%eth0"] }, ["ipAddresses"]],
    [{ privateKeyPem: p256, uris: ["/path"] }, ["uris"]],
    [{ privateKeyPem: p256, uris: ["https://a b"] }, ["uris"]],
    [{ privateKeyPem: p256, names: ["a"] }, ["names"]],
  ] as [Properties, string[]][])("are refused: %#", async (news, properties) => {
    expect(await reasons(requestUrn, news)).toEqual(properties);
  });

  it("may be any private key of the three kinds, and no other or encrypted one", async () => {
    const refused = (keyPem: string | Buffer) => reasons(requestUrn, { privateKeyPem: String(keyPem) });
    const foreign = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
    expect(await refused(foreign.privateKey.export(pkcs8))).toEqual(["privateKeyPem"]);
    expect(await refused(generateKeyPairSync("x25519").privateKey.export(pkcs8))).toEqual(["privateKeyPem"]);
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    expect(await refused(privateKey.export(pkcs8))).toEqual([]);
    expect(await refused(publicKey.export({ type: "spki", format: "pem" }))).toEqual(["privateKeyPem"]);
    const encrypted = privateKey.export({ ...pkcs8, cipher: "aes-256-cbc", passphrase: "x" });
    expect(await refused(encrypted)).toEqual(["privateKeyPem"]);
  });

  it("never show up in a refusal", async () => {
    const broken = p256.replace(/[A-Z]{2}/, "!!");
    const { failures } = await provider.check({ urn: requestUrn, olds: undefined, news: { privateKeyPem: broken } });
    expect(failures).toHaveLength(1);
    expect(JSON.stringify(failures)).not.toContain(broken.split("\n")[1]);
  });

  it("are left alone while they are not known", async () => {
    const news = {
      privateKeyPem: secret(unknown),
      subject: { commonName: unknown, streetAddresses: [unknown] },
      dnsNames: [unknown],
      uris: unknown,
    };
    expect(await provider.check({ urn: requestUrn, olds: undefined, news })).toEqual({ inputs: news, failures: [] });
    expect(await reasons(requestUrn, { privateKeyPem: unknown, subject: unknown })).toEqual([]);
    const preview = await provider.create({ urn: requestUrn, inputs: news, preview: true });
    expect(preview).toEqual({ id: "", outputs: news });
  });

  const before = { privateKeyPem: secret(p256), subject: { commonName: "x", organization: "O" }, dnsNames: ["a"] };
  it.each([
    ["nothing changes", before, []],
    ["the key is no longer marked secret", { ...before, privateKeyPem: p256 }, []],
    ["the common name changes", { ...before, subject: { commonName: "y", organization: "O" } }, ["subject"]],
    ["the organization goes", { ...before, subject: { commonName: "x" } }, ["subject"]],
    ["the subject goes", { ...before, subject: undefined }, ["subject"]],
    ["a list becomes empty", { ...before, dnsNames: [] }, ["dnsNames"]],
    ["an empty list comes", { ...before, uris: [] }, ["uris"]],
    ["an address comes", { ...before, ipAddresses: ["::1"] }, ["ipAddresses"]],
    ["the key is not known yet", { ...before, privateKeyPem: secret(unknown) }, ["privateKeyPem"]],
    ["the key is another", { ...before, privateKeyPem: secret("other") }, ["privateKeyPem"]],
  ] as [string, Properties, string[]][])("when %s, replace it as they should", async (_, after, changed) => {
    const { outputs } = await create(requestUrn, before);
    expect(await replaces(requestUrn, outputs, after)).toEqual(changed);
  });
});
