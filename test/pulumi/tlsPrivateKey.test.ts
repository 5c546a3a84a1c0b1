import { createPrivateKey, createPublicKey } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  der,
  idOf,
  isSecret,
  keyUrn,
  type Properties,
  revealed,
  run,
  secret,
  TlsPlugin,
  unknown,
} from "./tlsPlugin.ts";

let plugin: TlsPlugin;
beforeAll(async () => {
  plugin = await TlsPlugin.start();
});
afterAll(() => plugin[Symbol.asyncDispose]());

const kinds = [
  { inputs: { algorithm: "RSA" }, rsaBits: 2048, ecdsaCurve: "P224", header: "RSA PRIVATE KEY", ssh: "ssh-rsa" },
  {
    inputs: { algorithm: "RSA", rsaBits: 3072 },
    rsaBits: 3072,
    ecdsaCurve: "P224",
    header: "RSA PRIVATE KEY",
    ssh: "ssh-rsa",
  },
  ...["P224", "P256", "P384", "P521"].map((ecdsaCurve) => ({
    inputs: { algorithm: "ECDSA", ecdsaCurve },
    rsaBits: 2048,
    ecdsaCurve,
    header: "EC PRIVATE KEY",
    ssh: ecdsaCurve === "P224" ? "" : `ecdsa-sha2-nistp${ecdsaCurve.slice(1)}`,
  })),
];

const labelled = kinds.map((kind) => ({ ...kind, label: Object.values(kind.inputs).join(" ") }));

describe.each(labelled)("a private key, $label", (kind) => {
  let id: string;
  let all: Properties;
  let texts: Record<string, string>;
  beforeAll(async () => {
    ({ id, outputs: all } = await plugin.create(keyUrn, kind.inputs));
    texts = revealed(all) as Record<string, string>;
  });

  it("has the outputs that Pulumi's plugin keeps, with the defaults of every algorithm", () => {
    const names = [
      "__meta",
      "__pulumi_raw_state_delta",
      "algorithm",
      "ecdsaCurve",
      "id",
      "privateKeyOpenssh",
      "privateKeyPem",
      "privateKeyPemPkcs8",
      "publicKeyFingerprintMd5",
      "publicKeyFingerprintSha256",
      "publicKeyOpenssh",
      "publicKeyPem",
      "rsaBits",
    ];
    expect(Object.keys(all).sort()).toEqual(names);
    expect(all).toMatchObject({
      __meta: '{"schema_version":"1"}',
      __pulumi_raw_state_delta: { obj: {} },
      ...kind.inputs,
      rsaBits: kind.rsaBits,
      ecdsaCurve: kind.ecdsaCurve,
      id,
    });
  });

  it("marks the three forms of the private key secret, and nothing else", () => {
    const marked = Object.keys(all).filter((key) => isSecret(all[key]));
    expect(marked.sort()).toEqual(["privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"]);
  });

  it("is written under the PEM headers that Pulumi's plugin uses", () => {
    const { privateKeyPem = "", privateKeyPemPkcs8 = "", publicKeyPem = "" } = texts;
    for (const [pem, header] of [
      [privateKeyPem, kind.header],
      [privateKeyPemPkcs8, "PRIVATE KEY"],
      [publicKeyPem, "PUBLIC KEY"],
    ] as const) {
      expect(pem.startsWith(`-----BEGIN ${header}-----\n`)).toBe(true);
      expect(pem.endsWith(`\n-----END ${header}-----\n`)).toBe(true);
      expect(Math.max(...pem.split("\n").map((line) => line.length))).toBeLessThanOrEqual(64);
    }
  });

  it("has the size and curve that its inputs ask for", () => {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey(texts.publicKeyPem ?? "");
    const curves: Record<string, string> = {
      P224: "secp224r1",
      P256: "prime256v1",
      P384: "secp384r1",
      P521: "secp521r1",
    };
    expect({ asymmetricKeyType, asymmetricKeyDetails }).toMatchObject(
      kind.inputs.algorithm === "RSA"
        ? { asymmetricKeyType: "rsa", asymmetricKeyDetails: { modulusLength: kind.rsaBits } }
        : { asymmetricKeyType: "ec", asymmetricKeyDetails: { namedCurve: curves[kind.ecdsaCurve] } },
    );
  });

  it("has one public key in all of its forms, from which the id comes", () => {
    const { privateKeyPem = "", privateKeyPemPkcs8 = "", publicKeyPem = "" } = texts;
    const spki = der(publicKeyPem);
    for (const pem of [privateKeyPem, privateKeyPemPkcs8]) {
      expect(createPublicKey(createPrivateKey(pem)).export({ type: "spki", format: "der" })).toEqual(spki);
    }
    expect(run("openssl", ["pkey", "-in", "$0", "-pubout"], privateKeyPem)).toBe(publicKeyPem);
    expect(id).toBe(idOf(spki));
  });

  it("is read by OpenSSH, where OpenSSH has such keys", () => {
    const {
      privateKeyOpenssh = "",
      publicKeyOpenssh = "",
      publicKeyFingerprintMd5,
      publicKeyFingerprintSha256,
    } = texts;
    if (!kind.ssh) {
      expect([privateKeyOpenssh, publicKeyOpenssh, publicKeyFingerprintMd5, publicKeyFingerprintSha256]).toEqual(
        Array(4).fill(""),
      );
      return;
    }
    expect(publicKeyOpenssh).toMatch(new RegExp(`^${kind.ssh} [A-Za-z0-9+/]+=*\\n$`));
    expect(run("ssh-keygen", ["-y", "-f", "$0"], privateKeyOpenssh).trim()).toBe(publicKeyOpenssh.trim());
    const fingerprint = (hash: string) =>
      run("ssh-keygen", ["-l", "-E", hash, "-f", "$0"], publicKeyOpenssh).split(" ")[1];
    expect(fingerprint("sha256")).toBe(publicKeyFingerprintSha256);
    expect(fingerprint("md5")).toBe(`MD5:${publicKeyFingerprintMd5}`);
  });

  if (kind.ssh === "") return;

  it("signs in OpenSSH with its private part what its public part verifies", () => {
    const sign =
      'ssh-keygen -q -Y sign -n test -f "$1" "$2" && ssh-keygen -Y check-novalidate -n test -s "$2.sig" < "$2"';
    const checked = run("sh", ["-c", sign, "sh", "$0", "$1"], texts.privateKeyOpenssh ?? "", "text");
    expect(checked).toMatch(/^Good "test" signature/);
  });
});

describe("the id of a private key", () => {
  it("leaves out white space at the end of the DER, as Pulumi's plugin does", async () => {
    // Of 256 last bytes 6 are white space: 3000 keys without one do not happen (1 in 10^31).
    for (let attempt = 0; attempt < 3000; attempt++) {
      const { id, outputs } = await plugin.create(keyUrn, { algorithm: "ECDSA", ecdsaCurve: "P256" });
      const spki = der(String(outputs.publicKeyPem));
      expect(id).toBe(idOf(spki));
      if ([9, 10, 11, 12, 13, 32].includes(spki.at(-1) ?? 0)) return;
    }
    expect.fail("no key ends in white space");
  });
});

describe("inputs of a private key", () => {
  it("stay as they are: defaults go into outputs alone", async () => {
    const news = { algorithm: "ECDSA", ecdsaCurve: "P256" };
    expect(await plugin.check(keyUrn, news)).toEqual({ inputs: news, failures: [] });
  });

  it.each([
    [{}, ["algorithm"]],
    [{ algorithm: "DSA" }, ["algorithm"]],
    [{ algorithm: "ED25519" }, ["algorithm"]],
    [{ algorithm: "RSA", rsaBits: 512 }, ["rsaBits"]],
    [{ algorithm: "RSA", rsaBits: 2048.5 }, ["rsaBits"]],
    [{ algorithm: "RSA", rsaBits: "2048" }, ["rsaBits"]],
    [{ algorithm: "RSA", rsaBits: 16_385 }, ["rsaBits"]],
    [{ algorithm: "ECDSA", ecdsaCurve: "P-256" }, ["ecdsaCurve"]],
    [{ algorithm: "RSA", bits: 2048 }, ["bits"]],
    [{ algorithm: "RSA", bits: null, rsaBits: null }, []],
    [{ algorithm: secret("RSA"), rsaBits: unknown, ecdsaCurve: unknown }, []],
    [{ algorithm: unknown }, []],
  ] as [Properties, string[]][])("%j is refused for %j", async (news, properties) => {
    expect(await plugin.refused(keyUrn, news)).toEqual(properties);
  });

  it.each([
    ["nothing changes", { algorithm: "RSA" }, { algorithm: "RSA" }, []],
    ["a default is written out", { algorithm: "RSA" }, { algorithm: "RSA", rsaBits: 2048, ecdsaCurve: "P224" }, []],
    ["a value becomes secret", { algorithm: "RSA" }, { algorithm: secret("RSA") }, []],
    ["the size changes", { algorithm: "RSA" }, { algorithm: "RSA", rsaBits: 4096 }, ["rsaBits"]],
    ["the curve changes", { algorithm: "ECDSA" }, { algorithm: "ECDSA", ecdsaCurve: "P256" }, ["ecdsaCurve"]],
    ["the curve goes", { algorithm: "ECDSA", ecdsaCurve: "P256" }, { algorithm: "ECDSA" }, ["ecdsaCurve"]],
    ["the size of an ECDSA key changes", { algorithm: "ECDSA" }, { algorithm: "ECDSA", rsaBits: 4096 }, ["rsaBits"]],
    ["the algorithm changes", { algorithm: "RSA" }, { algorithm: "ECDSA" }, ["algorithm"]],
    ["a value is not known yet", { algorithm: "RSA" }, { algorithm: unknown }, ["algorithm"]],
  ] as [string, Properties, Properties, string[]][])(
    "when %s, replace it as they should",
    async (_, before, after, keys) => {
      const { outputs } = await plugin.create(keyUrn, before, true);
      expect(await plugin.replaces(keyUrn, outputs, after)).toEqual(keys);
    },
  );

  it("make no key in a preview: only the defaults are known in advance", async () => {
    const preview = await plugin.create(keyUrn, { algorithm: "ECDSA" }, true);
    expect(preview).toEqual({ id: "", outputs: { algorithm: "ECDSA", rsaBits: 2048, ecdsaCurve: "P224" } });
  });

  it("make another key every time", async () => {
    const inputs = { algorithm: "ECDSA", ecdsaCurve: "P256" };
    const [a, b] = await Promise.all([plugin.create(keyUrn, inputs), plugin.create(keyUrn, inputs)]);
    expect(a.id).not.toBe(b.id);
  });
});
