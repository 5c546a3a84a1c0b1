import { createHmac, createPublicKey, generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { parseJwks, parseKeyFile } from "../../../../verifier/keys/keySet.ts";
import { oddRsaKeys } from "../../../support/crypto/oddRsaKeys.ts";
import {
  encode,
  goodKey,
  issuer,
  mint,
  podClaims,
  rsaKey,
  type SigningKey,
  strangeKey,
} from "../../../support/verifier/tokens.ts";
import { apiServer, apiSettings, Folder, verifier } from "../../../support/verifier/verifier.ts";

const hmac = (header: object, secret: string | Buffer) => {
  const input = `${encode(header)}.${encode(podClaims())}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
};

test("another issuer's key is no key of this one", async () => {
  using files = new Folder();
  const other: SigningKey = rsaKey();
  const issuers = [
    { issuer, publicKeyFile: [files.write("one.pem", goodKey.publicPem)], allow: ["*/*"] },
    { issuer: "https://other.example", publicKeyFile: [files.write("two.pem", other.publicPem)], allow: ["*/*"] },
  ];
  await using one = await verifier({ mode: "jwt-pubkey", issuers });
  expect((await one.ask(mint({}, other))).status).toBe(401);
  expect((await one.ask(mint({ iss: "https://other.example" }, goodKey))).status).toBe(401);
  expect((await one.ask(mint({ iss: "https://other.example" }, other))).status).toBe(200);
});

test("a key set's symmetric, private, weak and encryption keys verify nothing", async () => {
  using files = new Folder();
  await using server = await apiServer();
  const weak = rsaKey(1024);
  const encryption = rsaKey();
  const secret = Buffer.from("a secret that is in the key set!");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const leaked = { ...rsaKey(), privateKey, publicKey: createPublicKey(privateKey) };
  server.keys = [
    goodKey.jwk,
    weak.jwk,
    { ...encryption.jwk, use: "enc" },
    { kty: "oct", kid: "oct", alg: "HS256", k: secret.toString("base64url") },
    { ...privateKey.export({ format: "jwk" }), kid: leaked.kid, alg: "RS256" },
    { ...strangeKey.jwk, alg: "HS256" },
  ];
  await using one = await verifier(apiSettings(server, files, { mode: "oidc-discovery" }), { realTime: false });
  const pump = setInterval(() => one.clock?.advance(5), 1);
  for (const token of [
    mint({}, weak),
    mint({}, encryption),
    mint({}, leaked),
    mint({}, strangeKey),
    hmac({ alg: "HS256", kid: "oct" }, secret),
  ]) {
    expect((await one.ask(token)).status).toBe(401);
  }
  clearInterval(pump);
  expect((await one.ask(mint())).status).toBe(200);
});

test.each(oddRsaKeys)("a key set's RSA key with $name is left out, as JWK and as PEM", ({ publicKey }) => {
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "odd", alg: "RS256", use: "sig" };
  const { keys, leftOut } = parseJwks(JSON.stringify({ keys: [goodKey.jwk, jwk] }), "the set");
  expect(keys.map(({ kid }) => kid)).toEqual([goodKey.kid]);
  expect(leftOut).toEqual([expect.stringMatching(/^key 1 has an RSA (modulus|exponent)/)]);
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  expect(() => parseKeyFile(pem, "the file")).toThrow(/KEYS_NONE_USABLE.*RSA|holds no key.*RSA/);
});
