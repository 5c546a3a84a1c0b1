import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { idOf } from "../../../engine/tls/identity.ts";
import { deriveOutputs } from "../../../engine/tls/privateKey.ts";
import { isSecret, type Properties, secret, unknown, withoutSecrets } from "../../../engine/values.ts";
import { create, der, keyUrn, provider, reasons, replaces, run } from "./tlsFixtures.ts";

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
  { inputs: { algorithm: "ED25519" }, rsaBits: 2048, ecdsaCurve: "P224", header: "PRIVATE KEY", ssh: "ssh-ed25519" },
];

const label = ({ inputs }: { inputs: Properties }) => Object.values(inputs).join(" ");

describe.each(kinds.map((kind) => ({ ...kind, label: label(kind) })))("a private key, $label", (kind) => {
  const made = create(keyUrn, kind.inputs);
  const outputs = made.then((key) => withoutSecrets(key.outputs) as Record<string, string>);

  it("has the outputs that Pulumi's provider keeps, with the defaults of every algorithm", async () => {
    const { id, outputs: all } = await made;
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

  it("marks the three forms of the private key secret, and nothing else", async () => {
    const all = (await made).outputs;
    const marked = Object.keys(all).filter((key) => isSecret(all[key]));
    expect(marked.sort()).toEqual(["privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"]);
  });

  it("is written under the PEM headers that Pulumi's provider uses", async () => {
    const { privateKeyPem = "", privateKeyPemPkcs8 = "", publicKeyPem = "" } = await outputs;
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

  it("has one public key in all of its forms, from which the id comes", async () => {
    const { id, privateKeyPem = "", privateKeyPemPkcs8 = "", publicKeyPem = "" } = await outputs;
    const spki = der(publicKeyPem);
    for (const pem of [privateKeyPem, privateKeyPemPkcs8]) {
      expect(createPublicKey(createPrivateKey(pem)).export({ type: "spki", format: "der" })).toEqual(spki);
    }
    expect(run("openssl", ["pkey", "-in", "$0", "-pubout"], privateKeyPem)).toBe(publicKeyPem);
    expect(id).toBe(idOf(spki));
  });

  it("is read by OpenSSH, where OpenSSH has such keys", async () => {
    const {
      privateKeyOpenssh = "",
      publicKeyOpenssh = "",
      publicKeyFingerprintMd5,
      publicKeyFingerprintSha256,
    } = await outputs;
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
});

describe("the private part of an OpenSSH key", () => {
  it.each(["rsa", "ec", "ed25519"])("signs what the public part verifies: %s", (type) => {
    const { privateKey } =
      type === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : type === "ec"
          ? generateKeyPairSync("ec", { namedCurve: "secp384r1" })
          : generateKeyPairSync("ed25519");
    const { privateKeyOpenssh } = withoutSecrets(deriveOutputs(privateKey));
    // Signs with the private part, and checks that with the public part in the file.
    const sign =
      'ssh-keygen -q -Y sign -n test -f "$1" "$2" && ssh-keygen -Y check-novalidate -n test -s "$2.sig" < "$2"';
    const checked = run("sh", ["-c", sign, "sh", "$0", "$1"], String(privateKeyOpenssh), "text");
    expect(checked).toMatch(/^Good "test" signature/);
  });
});

describe("inputs of a private key", () => {
  it("stay as they are: defaults go into outputs alone", async () => {
    const news = { algorithm: "ECDSA", ecdsaCurve: "P256" };
    expect(await provider.check({ urn: keyUrn, olds: undefined, news })).toEqual({ inputs: news, failures: [] });
  });

  it.each([
    [{}, ["algorithm"]],
    [{ algorithm: "DSA" }, ["algorithm"]],
    [{ algorithm: "RSA", rsaBits: 512 }, ["rsaBits"]],
    [{ algorithm: "RSA", rsaBits: 2048.5 }, ["rsaBits"]],
    [{ algorithm: "RSA", rsaBits: "2048" }, ["rsaBits"]],
    [{ algorithm: "ECDSA", ecdsaCurve: "P-256" }, ["ecdsaCurve"]],
    [{ algorithm: "RSA", bits: 2048 }, ["bits"]],
    [{ algorithm: secret("RSA"), rsaBits: unknown, ecdsaCurve: unknown }, []],
    [{ algorithm: unknown }, []],
  ] as [Properties, string[]][])("%j is refused for %j", async (news, properties) => {
    expect(await reasons(keyUrn, news)).toEqual(properties);
  });

  it.each([
    ["nothing changes", { algorithm: "RSA" }, { algorithm: "RSA" }, []],
    ["a default is written out", { algorithm: "RSA" }, { algorithm: "RSA", rsaBits: 2048, ecdsaCurve: "P224" }, []],
    ["a value becomes secret", { algorithm: "RSA" }, { algorithm: secret("RSA") }, []],
    ["the size changes", { algorithm: "RSA" }, { algorithm: "RSA", rsaBits: 4096 }, ["rsaBits"]],
    ["the curve changes", { algorithm: "ECDSA" }, { algorithm: "ECDSA", ecdsaCurve: "P256" }, ["ecdsaCurve"]],
    ["the curve goes", { algorithm: "ECDSA", ecdsaCurve: "P256" }, { algorithm: "ECDSA" }, ["ecdsaCurve"]],
    [
      "the size of a key without one changes",
      { algorithm: "ED25519" },
      { algorithm: "ED25519", rsaBits: 4096 },
      ["rsaBits"],
    ],
    ["the algorithm changes", { algorithm: "RSA" }, { algorithm: "ECDSA" }, ["algorithm"]],
    ["a value is not known yet", { algorithm: "RSA" }, { algorithm: unknown }, ["algorithm"]],
  ] as [string, Properties, Properties, string[]][])(
    "when %s, replaces it as it should",
    async (_, before, after, keys) => {
      const { outputs } = await provider.create({ urn: keyUrn, inputs: before, preview: true });
      expect(await replaces(keyUrn, outputs, after)).toEqual(keys);
    },
  );

  it("makes no key in a preview: only the defaults are known in advance", async () => {
    const preview = await provider.create({ urn: keyUrn, inputs: { algorithm: "ECDSA" }, preview: true });
    expect(preview).toEqual({ id: "", outputs: { algorithm: "ECDSA", rsaBits: 2048, ecdsaCurve: "P224" } });
  });

  it("makes another key every time", async () => {
    const [a, b] = await Promise.all([
      create(keyUrn, { algorithm: "ED25519" }),
      create(keyUrn, { algorithm: "ED25519" }),
    ]);
    expect(a.id).not.toBe(b.id);
  });
});

describe("ids", () => {
  const sha1 = (bytes: number[]) => createHash("sha1").update(Buffer.from(bytes)).digest("hex");

  it.each([
    ["bytes as they are", [0x30, 0x01, 0x02], [0x30, 0x01, 0x02]],
    ["all but white space at the end", [0x30, 0x02, 0x09, 0x0d, 0x20], [0x30, 0x02]],
    ["all but a wide space in UTF-8 at the end", [0x30, 0x02, 0xe2, 0x80, 0x83], [0x30, 0x02]],
    ["a lone byte that is no UTF-8", [0x30, 0x85], [0x30, 0x85]],
    ["white space inside", [0x30, 0x20, 0x02], [0x30, 0x20, 0x02]],
  ])("are made of %s", (_, bytes, hashed) => {
    expect(idOf(Buffer.from(bytes))).toBe(sha1(hashed));
  });
});
