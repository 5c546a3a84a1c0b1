/**
 * The attacks and examples that the standards on tokens themselves describe, by their sections: RFC 7515 (JWS), RFC 7519 (JWT), RFC 6750
 * (bearer tokens), RFC 8725 (best current practices). Those on algorithms, headers and claims in general are in attacks.test.ts.
 */
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ecKey,
  edKey,
  encode,
  goodKey,
  mint,
  podClaims,
  type SigningKey,
  signatureOf,
  signRaw,
} from "../../support/verifier/tokens.ts";
import { Folder, keySettings, type Verifier, verifier } from "../../support/verifier/verifier.ts";

const folder = new Folder();
const ec = ecKey();
const ed = edKey();
/** Trusts one key of each kind that is common. */
let one: Verifier;
beforeAll(async () => {
  one = await verifier(keySettings(folder, {}, [goodKey, ec, ed].map((key) => key.publicPem).join("\n")));
  for (const key of [goodKey, ec, ed]) expect((await one.ask(mint({}, key))).status).toBe(200);
});
afterAll(async () => {
  await one?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function refused(token: string): Promise<void> {
  const { status, headers } = await one.ask(token);
  expect(status).toBe(401);
  expect(headers["www-authenticate"]).toMatch(/^Bearer realm="kubernetes"(, error="invalid_(token|request)"|$)/);
  expect(headers).not.toHaveProperty("x-k8sauth-subject");
}

const headerOf = (key: SigningKey) => encode({ alg: key.alg, kid: key.kid });
const inputOf = (key: SigningKey, payload: unknown = podClaims()) => `${headerOf(key)}.${encode(payload)}`;
const withSignature = (input: string, signature: Buffer) => `${input}.${signature.toString("base64url")}`;

/** Big-endian number as so many bytes. */
const bytesOf = (value: bigint, length: number) => Buffer.from(value.toString(16).padStart(length * 2, "0"), "hex");
const numberOf = (bytes: Buffer) => BigInt(`0x${bytes.toString("hex")}`);

describe("RFC 7515 section 3 and appendix: the forms of a JWS", () => {
  const [header = "", payload = "", signature = ""] = mint().split(".");
  test.each([
    ["general JSON", { payload, signatures: [{ protected: header, signature }] }],
    ["flattened JSON", { payload, protected: header, signature }],
    ["flattened JSON with an unprotected header", { payload, header: { alg: "RS256", kid: goodKey.kid }, signature }],
    ["one that reads as JSON and as compact", { [`${header}.${payload}.${signature}`]: "" }],
  ])("%s is refused", (_, form) => refused(JSON.stringify(form)));
  test("a detached payload (appendix F) is refused", () => refused(`${header}..${signature}`));
  test("an unsecured JWS (appendix A.5), with and without its last dot, is refused", async () => {
    await refused(`${encode({ alg: "none" })}.${payload}.`);
    await refused(`${encode({ alg: "none" })}.${payload}`);
  });
  test("a signature that is a secret of the example kind (appendix A.1) is refused under any key's name", async () => {
    for (const { kid } of [goodKey, ec, ed]) {
      const input = `${encode({ typ: "JWT", alg: "HS256", kid })}.${payload}`;
      for (const secret of ["secret", "", kid])
        await refused(withSignature(input, createHmac("sha256", secret).update(input).digest()));
    }
  });
});

describe("RFC 7515 section 4: names of headers", () => {
  test.each([
    ["in capitals", '{"ALG":"RS256"}'],
    ["inherited", '{"__proto__":{"alg":"RS256"}}'],
    ["with an escape that makes none of it", '{"alg":"no\\u006ee"}'],
    ["with a blank", '{"alg":"RS256 "}'],
    ["twice, the last of them none", '{"alg":"RS256","alg":"none"}'],
  ])("alg %s is refused", (_, header) => refused(signRaw(header, podClaims(), goodKey)));
  test("a token with the header of another token is refused", () =>
    refused([encode({ alg: "RS256", kid: goodKey.kid, x: 1 }), ...mint().split(".").slice(1)].join(".")));
});

describe("RFC 7518 section 3: other signatures of the same token", () => {
  test("RSA: longer, shorter, the modulus added, all zeros, all ones", async () => {
    const input = inputOf(goodKey);
    const signature = signatureOf(input, goodKey, "RS256");
    const { n = "" } = goodKey.publicKey.export({ format: "jwk" });
    const modulus = numberOf(Buffer.from(n, "base64url"));
    const more = numberOf(signature) + modulus;
    for (const other of [
      Buffer.concat([Buffer.from([0]), signature]),
      Buffer.concat([signature, Buffer.from([0])]),
      signature.subarray(1),
      bytesOf(more, more.toString(16).length > 512 ? 257 : 256),
      bytesOf(modulus - numberOf(signature), 256),
      Buffer.alloc(256),
      bytesOf(1n, 256),
      bytesOf(modulus - 1n, 256),
      Buffer.alloc(256, 0xff),
    ])
      await refused(withSignature(input, other));
  });
  test("ECDSA: as DER, as zeros, as the order, longer, with halves exchanged", async () => {
    const input = inputOf(ec);
    const signature = signatureOf(input, ec, "ES256");
    const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const der = (part: Buffer) => Buffer.concat([Buffer.from([2, 33, 0]), part]);
    const body = Buffer.concat([der(r), der(s)]);
    for (const other of [
      Buffer.concat([Buffer.from([0x30, body.length]), body]),
      Buffer.alloc(64),
      Buffer.concat([bytesOf(order, 32), bytesOf(order, 32)]),
      Buffer.concat([bytesOf(1n, 32), bytesOf(0n, 32)]),
      Buffer.concat([Buffer.alloc(1), r, Buffer.alloc(1), s]),
      Buffer.concat([r, s, Buffer.alloc(1)]),
      Buffer.concat([s, r]),
      r,
    ])
      await refused(withSignature(input, other));
  });
  test("Ed25519: with the order added (malleability), as zeros, with a point of small order", async () => {
    const input = inputOf(ed);
    const signature = signatureOf(input, ed, "EdDSA");
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const scalar = numberOf(Buffer.from(signature.subarray(32)).reverse()) + order;
    for (const other of [
      Buffer.concat([signature.subarray(0, 32), bytesOf(scalar, 32).reverse()]),
      Buffer.alloc(64),
      Buffer.concat([bytesOf(1n, 32).reverse(), Buffer.alloc(32)]),
    ])
      await refused(withSignature(input, other));
  });
  test.each(["RS256", "ES256", "EdDSA"])("an empty and a one-byte signature under %s are refused", async (alg) => {
    const key = [goodKey, ec, ed].find((each) => each.alg === alg) ?? goodKey;
    await refused(`${inputOf(key)}.`);
    await refused(`${inputOf(key)}.AA`);
  });
});

describe("RFC 7519 and RFC 8725: encrypted, nested, compressed and differently encoded tokens", () => {
  test("a JWE (8725 section 2.3) that looks right is refused, also one with a token inside", async () => {
    const key = randomBytes(32);
    const iv = randomBytes(12);
    for (const [cty, inside] of [
      [undefined, JSON.stringify(podClaims())],
      ["JWT", mint()],
    ]) {
      const protectedHeader = encode({ alg: "dir", enc: "A256GCM", cty, kid: goodKey.kid });
      const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(protectedHeader));
      const text = Buffer.concat([cipher.update(inside as string), cipher.final()]).toString("base64url");
      await refused(
        [protectedHeader, "", iv.toString("base64url"), text, cipher.getAuthTag().toString("base64url")].join("."),
      );
    }
  });
  test("a nested token (7519 section 5.2): a token as the payload is refused, with cty and without", async () => {
    await refused(signRaw({ alg: "RS256", kid: goodKey.kid, cty: "JWT" }, mint(), goodKey));
    await refused(signRaw({ alg: "RS256", kid: goodKey.kid }, mint(), goodKey));
  });
  test("a compressed payload (8725 section 2.4) is refused, with zip and without", async () => {
    const bomb = deflateRawSync(JSON.stringify(podClaims({ more: "x".repeat(1_000_000) })));
    for (const zip of ["DEF", undefined]) {
      const input = `${encode({ alg: "RS256", kid: goodKey.kid, zip })}.${bomb.toString("base64url")}`;
      await refused(withSignature(input, signatureOf(input, goodKey, "RS256")));
    }
  });
  test.each(["utf16le", "latin1"] as const)("claims in %s (8725 section 2.6) are refused", async (encoding) => {
    const claims = Buffer.from(JSON.stringify(podClaims({ note: "é" })), encoding).toString("base64url");
    const input = `${headerOf(goodKey)}.${claims}`;
    await refused(withSignature(input, signatureOf(input, goodKey, "RS256")));
  });
  test.each(["at+jwt", "application/at+jwt", "logout+jwt", "vc+jwt", "JOSE", "JOSE+JSON", "JWE", ""])(
    "a token of another kind (8725 section 3.11), typ %j, is refused although the issuer signed it",
    (typ) => refused(mint({}, goodKey, { typ })),
  );
  test("claims nested thousands deep, or thousands of them, harm nothing", async () => {
    const deep = JSON.stringify(podClaims()).replace("{", `{"x":${"[".repeat(2000)}${"]".repeat(2000)},`);
    expect((await one.ask(signRaw({ alg: "RS256", kid: goodKey.kid }, deep, goodKey))).status).toBe(200);
    const many = Object.fromEntries(Array.from({ length: 450 }, (_, at) => [`c${at}`, at]));
    expect((await one.ask(mint(many))).status).toBe(200);
    await refused(mint({ aud: Array(400).fill("verifier.example") }));
  });
  test("inherited properties are not claims (prototype pollution)", async () => {
    const claims = JSON.stringify({ ...podClaims(), sub: undefined });
    const inherited = claims.replace("{", '{"__proto__":{"sub":"system:serviceaccount:team-a:web"},');
    await refused(signRaw({ alg: "RS256", kid: goodKey.kid }, inherited, goodKey));
    const constructed = claims.replace("{", '{"constructor":{"prototype":{"sub":"system:serviceaccount:team-a:web"}},');
    await refused(signRaw({ alg: "RS256", kid: goodKey.kid }, constructed, goodKey));
    await refused(mint({ sub: undefined }));
  });
  test("escapes in claims mean their characters", async () => {
    const escaped = JSON.stringify(podClaims()).replaceAll("system:", "system\\u003a");
    const { status, headers } = await one.ask(signRaw({ alg: "RS256", kid: goodKey.kid }, escaped, goodKey));
    expect({ status, subject: headers["x-k8sauth-subject"] }).toEqual({
      status: 200,
      subject: "system:serviceaccount:team-a:web",
    });
    const evil = JSON.stringify(podClaims()).replaceAll("team-a:web", "team-a:web\\u0000");
    await refused(signRaw({ alg: "RS256", kid: goodKey.kid }, evil, goodKey));
  });
});

describe("RFC 6750 section 2: where a token can be", () => {
  const query = encodeURIComponent(mint());
  test.each([
    ["the address", "GET", `/?access_token=${query}`, {}],
    ["a form", "POST", "/", { "Content-Type": "application/x-www-form-urlencoded" }],
    ["a cookie", "GET", "/", { Cookie: `access_token=${mint()}; Authorization=Bearer ${mint()}` }],
    [
      "another header",
      "GET",
      "/",
      { "X-Forwarded-Authorization": `Bearer ${mint()}`, "Proxy-Authorization": `Bearer ${mint()}` },
    ],
    [
      "a WebSocket's protocols",
      "GET",
      "/",
      { "Sec-WebSocket-Protocol": `base64url.bearer.authorization.k8s.io.${encode(mint())}` },
    ],
    ["another scheme", "GET", "/", { Authorization: `Token ${mint()}` }],
  ])("in %s it is none: such tokens appear in logs, or come from another site", async (_, method, path, headers) => {
    const { status, headers: answer } = await one.ask(undefined, headers as Record<string, string>, method, path);
    expect({ status, challenge: answer["www-authenticate"] }).toEqual({
      status: 401,
      challenge: 'Bearer realm="kubernetes"',
    });
  });
});
