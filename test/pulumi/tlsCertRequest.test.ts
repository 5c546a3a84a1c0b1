import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { der, idOf, isSecret, type Properties, requestUrn, run, secret, TlsPlugin, unknown } from "./tlsPlugin.ts";

let plugin: TlsPlugin;
beforeAll(async () => {
  plugin = await TlsPlugin.start();
});
afterAll(() => plugin[Symbol.asyncDispose]());

const pkcs8 = { type: "pkcs8", format: "pem" } as const;
const p256 = String(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey.export(pkcs8));

async function request(inputs: Properties, keyPem = p256): Promise<string> {
  const { outputs } = await plugin.create(requestUrn, { privateKeyPem: secret(keyPem), ...inputs });
  return String(outputs.certRequestPem);
}

/** The subject as openssl prints it, and the whole request, after openssl has verified the signature. */
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
  ["RSA", "sha256WithRSAEncryption", "pkcs1", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
  ...(
    [
      ["secp224r1", "SHA256"],
      ["prime256v1", "SHA256"],
      ["secp384r1", "SHA384"],
      ["secp521r1", "SHA512"],
    ] as const
  ).map(
    ([namedCurve, hash]) =>
      ["ECDSA", `ecdsa-with-${hash}`, "sec1", () => generateKeyPairSync("ec", { namedCurve })] as const,
  ),
] as const;

describe.each(keys)("a request for a key of %s", (algorithm, signature, traditional, generate) => {
  const { privateKey } = generate();

  it(`is signed with ${signature} and carries the key`, async () => {
    const keyPem = String(privateKey.export(pkcs8));
    const inputs = { privateKeyPem: secret(keyPem), subject: { commonName: "gateway", organization: "Org" } };
    const { id, outputs } = await plugin.create(requestUrn, inputs);
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
    const keyPem = String(privateKey.export({ type: traditional as "pkcs1", format: "pem" }));
    expect(read(await request({ subject: { commonName: "x" } }, keyPem)).subject).toBe("CN=x");
  });
});

describe("the contents of a request", () => {
  it("are in PEM under the header that API servers take", async () => {
    const pem = await request({ subject: { commonName: "x" } });
    expect(pem).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----\n[\s\S]+\n-----END CERTIFICATE REQUEST-----\n$/);
  });

  it("hold texts as PrintableString where that is possible, else as UTF8String", async () => {
    const types = async (subject: Properties) => stringTypes(await request({ subject }));
    expect(await types({ commonName: "system:x (a) +,-./=?'" })).toEqual(["PRINTABLESTRING"]);
    expect(await types({ organization: "a@b", commonName: "a_b" })).toEqual(["UTF8STRING", "UTF8STRING"]);
    expect(await types({ organization: "a*", commonName: "a&b" })).toEqual(["UTF8STRING", "UTF8STRING"]);
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

  it("have no extensions", async () => {
    const structure = run("openssl", ["asn1parse", "-in", "$0"], await request({}));
    expect(structure).toMatch(/l= +0 cons: cont \[ 0 \]/);
    expect(structure).not.toContain("Extension Request");
  });
});

describe("the state of a request", () => {
  const absent = secret({ replace: { raw: null } });

  it("has the outputs that Pulumi's plugin keeps", async () => {
    const inputs = { privateKeyPem: secret(p256), subject: { commonName: "x" } };
    const { outputs } = await plugin.create(requestUrn, inputs);
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

  it("says of an absent subject that it is an empty block", async () => {
    const { outputs } = await plugin.create(requestUrn, { privateKeyPem: p256 });
    expect(outputs.__pulumi_raw_state_delta).toEqual({
      obj: {
        ps: { dnsNames: absent, ipAddresses: absent, uris: absent, subject: secret({ replace: { raw: [] } }) },
      },
    });
  });

  it("keeps secret what is secret, wherever it is", async () => {
    const { inputs } = await plugin.check(requestUrn, {
      privateKeyPem: p256,
      subject: { commonName: secret("x") },
    });
    expect(inputs.privateKeyPem).toEqual(secret(p256));
    const { outputs } = await plugin.create(requestUrn, inputs);
    expect(Object.keys(outputs).filter((key) => isSecret(outputs[key]))).toEqual(["privateKeyPem"]);
    expect(outputs.subject).toEqual({ commonName: secret("x") });
    expect(read(String(outputs.certRequestPem)).subject).toBe("CN=x");
  });

  it("takes null for absent", async () => {
    const inputs = { privateKeyPem: p256, subject: { commonName: "x", organization: null }, dnsNames: null };
    expect(await plugin.refused(requestUrn, inputs)).toEqual([]);
    const { outputs } = await plugin.create(requestUrn, inputs);
    expect(read(String(outputs.certRequestPem)).subject).toBe("CN=x");
    expect(await plugin.replaces(requestUrn, outputs, inputs)).toEqual([]);
    expect(await plugin.replaces(requestUrn, outputs, { privateKeyPem: p256, subject: { commonName: "x" } })).toEqual(
      [],
    );
  });
});

describe("inputs of a request", () => {
  it.each([
    [{}, ["privateKeyPem"]],
    [{ privateKeyPem: "no key" }, ["privateKeyPem"]],
    [{ privateKeyPem: p256, subject: "CN=x" }, ["subject"]],
    [{ privateKeyPem: p256, subject: { commonname: "x" } }, ["subject.commonname"]],
    [{ privateKeyPem: p256, subject: { organization: ["x"] } }, ["subject.organization"]],
    [{ privateKeyPem: p256, subject: { country: "DE", locality: "L" } }, ["subject.country", "subject.locality"]],
    [{ privateKeyPem: p256, dnsNames: ["a.example"] }, ["dnsNames"]],
    [{ privateKeyPem: p256, ipAddresses: ["10.0.0.1"] }, ["ipAddresses"]],
    [{ privateKeyPem: p256, uris: ["https://a.example"] }, ["uris"]],
    [{ privateKeyPem: p256, names: ["a"] }, ["names"]],
  ] as [Properties, string[]][])("are refused by name: %#", async (news, properties) => {
    expect(await plugin.refused(requestUrn, news)).toEqual(properties);
  });

  it("may be an RSA or ECDSA key, and no other or encrypted one", async () => {
    const refused = (keyPem: string | Buffer) => plugin.refused(requestUrn, { privateKeyPem: String(keyPem) });
    const foreign = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
    expect(await refused(foreign.privateKey.export(pkcs8))).toEqual(["privateKeyPem"]);
    expect(await refused(generateKeyPairSync("x25519").privateKey.export(pkcs8))).toEqual(["privateKeyPem"]);
    expect(await refused(generateKeyPairSync("ed25519").privateKey.export(pkcs8))).toEqual(["privateKeyPem"]);
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    expect(await refused(privateKey.export(pkcs8))).toEqual([]);
    expect(await refused(publicKey.export({ type: "spki", format: "pem" }))).toEqual(["privateKeyPem"]);
    const encrypted = privateKey.export({ ...pkcs8, cipher: "aes-256-cbc", passphrase: "x" });
    expect(await refused(encrypted)).toEqual(["privateKeyPem"]);
  });

  it("never show up in a refusal", async () => {
    const broken = p256.replace(/[A-Z]{2}(?=[^-]*\n-----END)/, "!!");
    const { failures } = await plugin.check(requestUrn, { privateKeyPem: broken });
    expect(failures).toHaveLength(1);
    expect(JSON.stringify(failures)).not.toContain(broken.split("\n")[1]);
    const creation = plugin.create(requestUrn, { privateKeyPem: broken });
    await expect(creation).rejects.toThrow("privateKeyPem: must be one RSA or ECDSA key");
    await expect(creation).rejects.not.toThrow(broken.split("\n")[1]);
  });

  it("are left alone while they are not known", async () => {
    const news = { privateKeyPem: secret(unknown), subject: { commonName: unknown } };
    expect(await plugin.check(requestUrn, news)).toEqual({ inputs: news, failures: [] });
    expect(await plugin.refused(requestUrn, { privateKeyPem: unknown, subject: unknown })).toEqual([]);
    expect(await plugin.create(requestUrn, news, true)).toEqual({ id: "", outputs: news });
  });

  const before = { privateKeyPem: secret(p256), subject: { commonName: "x", organization: "O" } };
  it.each([
    ["nothing changes", before, []],
    ["the key is no longer marked secret", { ...before, privateKeyPem: p256 }, []],
    ["the common name changes", { ...before, subject: { commonName: "y", organization: "O" } }, ["subject"]],
    ["the organization goes", { ...before, subject: { commonName: "x" } }, ["subject"]],
    ["the subject goes", { ...before, subject: undefined }, ["subject"]],
    ["the key is not known yet", { ...before, privateKeyPem: secret(unknown) }, ["privateKeyPem"]],
    ["the key is another", { ...before, privateKeyPem: secret("other") }, ["privateKeyPem"]],
  ] as [string, Properties, string[]][])("when %s, replace it as they should", async (_, after, changed) => {
    const { outputs } = await plugin.create(requestUrn, before);
    expect(await plugin.replaces(requestUrn, outputs, after)).toEqual(changed);
  });
});
