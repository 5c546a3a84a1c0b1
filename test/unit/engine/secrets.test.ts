import { beforeAll, describe, expect, test } from "vitest";
import { type Crypter, createCrypter, openCrypter } from "../../../engine/secrets.ts";
import { decryptSecrets, encryptSecrets, type ResourceState } from "../../../engine/state.ts";
import { isSecret, type Properties, secret, secretSignature, signatureKey } from "../../../engine/values.ts";

// Made with node:crypto alone: PBKDF2-SHA256, 1,000,000 rounds; AES-256-GCM. Nothing in it is anybody's.
const vector = {
  passphrase: "a passphrase for tests",
  salt: "v1:azhzYXV0aCE=:v1:bm9uY2UtbnVtYmVy:jiKKQelZrhCSvATID83VQe/+DzNNjA==",
  ciphertext: "v1:YW5vdGhlciBub25j:i74c3JVNQxzVH5QzENPQ1ktGdjn7Qs8NWABk41vak7cYPK6L",
  plaintext: '{"word":"hush ÄÖ"}',
};

let crypter: Crypter;
let other: Crypter;
beforeAll(async () => {
  [crypter, other] = await Promise.all([openCrypter(vector.passphrase, vector.salt), createCrypter("another")]);
});

const ciphertexts = (state: unknown) =>
  [...JSON.stringify(state).matchAll(/"ciphertext":"([^"]+)"/g)].map(([, text]) => text);

describe("the passphrase provider", () => {
  test("reads what was encrypted by the rules of Pulumi's", () => {
    expect(crypter.decrypt(vector.ciphertext)).toBe(vector.plaintext);
  });

  test("never makes one ciphertext twice", () => {
    const [one, two] = [crypter.encrypt("hush"), crypter.encrypt("hush")];
    expect(one).not.toBe(two);
    expect([one, two].map(crypter.decrypt)).toEqual(["hush", "hush"]);
  });

  test("opens its own salt again, with the right passphrase alone", async () => {
    const sealed = other.encrypt("hush");
    expect((await openCrypter("another", other.salt)).decrypt(sealed)).toBe("hush");
    await expect(openCrypter("wrong", other.salt)).rejects.toMatchObject({ code: "PASSPHRASE_WRONG" });
  });

  test.each(["", "v1:abc", "v2:azhzYXV0aCE=:v1:bm9u:jiKK"])("takes no salt such as %j", async (salt) => {
    await expect(openCrypter("x", salt)).rejects.toMatchObject({ code: "STATE_CORRUPT" });
  });

  test.each([["hush"], ["v1:AAAA"], [vector.ciphertext.replace("i74c", "i74d")]])(
    "refuses the damaged ciphertext %j without showing anything",
    (ciphertext) => {
      expect(() => crypter.decrypt(ciphertext)).toThrow(expect.objectContaining({ code: "STATE_CORRUPT" }));
    },
  );
});

describe("a state that is written", () => {
  const resources = (): ResourceState[] => [
    {
      urn: "urn:pulumi:dev::test::mem:index:Thing::a",
      type: "mem:index:Thing",
      custom: true,
      inputs: { key: secret("hush"), list: [secret({ deep: "whisper" })], open: 1 },
    },
  ];

  test("holds no secret in plaintext, and all of them when it is read again", () => {
    const written = JSON.stringify(encryptSecrets(resources(), crypter));
    expect(written).not.toMatch(/hush|whisper|"value"/);
    expect(decryptSecrets(JSON.parse(written), crypter)).toEqual(resources());
  });

  test("keeps the ciphertext of a secret that has not changed, and of no other", () => {
    const read = decryptSecrets(encryptSecrets(resources(), crypter), crypter);
    const before = ciphertexts(encryptSecrets(read, crypter));
    const inputs = read[0]?.inputs as Properties;
    const changed = [{ ...read[0], inputs: { ...inputs, key: secret("other") } }];
    const after = ciphertexts(encryptSecrets(changed, crypter));
    expect(before.length).toBe(2);
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).toBe(before[1]);
  });

  test("is encrypted anew under another key", () => {
    const read = decryptSecrets(encryptSecrets(resources(), crypter), crypter);
    const moved = encryptSecrets(read, other);
    expect(decryptSecrets(JSON.parse(JSON.stringify(moved)), other)).toEqual(resources());
    expect(() => decryptSecrets(JSON.parse(JSON.stringify(moved)), crypter)).toThrow(/another key/);
  });

  test("is refused when it holds secrets and names no key", () => {
    const state = { [signatureKey]: secretSignature, ciphertext: vector.ciphertext };
    expect(() => decryptSecrets(state, undefined)).toThrow(expect.objectContaining({ code: "STATE_CORRUPT" }));
    expect(isSecret(decryptSecrets(state, crypter) as never)).toBe(true);
  });
});
