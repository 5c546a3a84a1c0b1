import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  audience,
  ecKey,
  encode,
  goodKey,
  issuer,
  mint,
  now,
  podClaims,
  rsaKey,
  signRaw,
  strangeKey,
  uids,
} from "../../../support/verifier/tokens.ts";
import {
  type ApiServer,
  apiServer,
  apiSettings,
  Folder,
  keySettings,
  type Verifier,
  verifier,
} from "../../../support/verifier/verifier.ts";

const folder = new Folder();
let api: ApiServer;
/** Local verification by PEM, by key set, and with reviews: an attack has to fail on all of them. */
let targets: readonly Verifier[];

beforeAll(async () => {
  api = await apiServer();
  targets = await Promise.all([
    verifier(keySettings(folder)),
    verifier(apiSettings(api, folder, { mode: "oidc-discovery" }), { realTime: false }),
    verifier(apiSettings(api, folder, { issuer })),
  ]);
});
afterAll(async () => {
  for (const target of targets ?? []) await target[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Refused by all, as an invalid token, without a review. */
async function refused(token: string): Promise<void> {
  const before = api.reviews.length;
  for (const target of targets) {
    const pump = setInterval(() => target.clock?.advance(20), 1);
    const { status, headers } = await target.ask(token).finally(() => clearInterval(pump));
    expect(status).toBe(401);
    expect(headers["www-authenticate"]).toMatch(
      /^Bearer realm="kubernetes", error="invalid_token", error_description="/,
    );
    expect(headers).not.toHaveProperty("x-k8sauth-subject");
  }
  expect(api.reviews.length).toBe(before);
}

async function accepted(token: string): Promise<void> {
  for (const target of targets) expect((await target.ask(token)).status).toBe(200);
}

const unsigned = (header: object, payload: object = podClaims()) => `${encode(header)}.${encode(payload)}.`;
const hmac = (header: object, secret: string | Buffer) => {
  const input = `${encode(header)}.${encode(podClaims())}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
};

test("the good token is accepted by all, so that refusals mean something", () => accepted(mint()));

describe("algorithms", () => {
  test.each(["none", "None", "NONE", "nOnE", ""])("alg %j is refused, without and with a signature", async (alg) => {
    await refused(unsigned({ alg, kid: goodKey.kid }));
    await refused(`${unsigned({ alg, kid: goodKey.kid })}AAAA`);
    await refused(mint({}, goodKey, { alg }));
  });
  test.each(["PEM", "PEM without its last newline", "DER", "JWK"])(
    "HS256 keyed with the public key as %s is refused",
    async (form) => {
      const pem = goodKey.publicPem;
      const secrets: Record<string, string | Buffer> = {
        PEM: pem,
        "PEM without its last newline": pem.trimEnd(),
        DER: goodKey.publicKey.export({ type: "spki", format: "der" }),
        JWK: JSON.stringify(goodKey.jwk),
      };
      await refused(hmac({ alg: "HS256", kid: goodKey.kid }, secrets[form] as string));
    },
  );
  test.each(["HS256", "HS384", "HS512"])("%s is refused whatever signed it", (alg) =>
    refused(mint({}, goodKey, { alg })),
  );
  test.each(["PS256", "PS384", "PS512", "RS384", "RS512"])("%s with a key that is pinned to RS256 is refused", (alg) =>
    refused(signRaw({ alg, kid: goodKey.kid }, podClaims(), goodKey, alg)),
  );
  test("ES256 under the name of an RSA key is refused", () => refused(mint({}, ecKey(), { kid: goodKey.kid })));
  test("an ES256 signature of zeros is refused (psychic signatures)", () =>
    refused(`${encode({ alg: "ES256", kid: goodKey.kid })}.${encode(podClaims())}.${"A".repeat(86)}`));
  test.each([null, 1, true, ["RS256"], { alg: "RS256" }])("alg %j is refused", (alg) =>
    refused(mint({}, goodKey, { alg })),
  );
});

describe("keys of the sender's choice", () => {
  const embedded = { ...strangeKey.jwk };
  test.each([
    ["jwk", embedded],
    ["jku", "https://attacker.example/keys"],
    ["x5u", "https://attacker.example/cert"],
    ["x5c", ["MIIB"]],
  ])("%s in the header is refused, signed by the stranger and by the issuer itself", async (name, value) => {
    await refused(mint({}, strangeKey, { [name]: value, kid: goodKey.kid }));
    await refused(mint({}, goodKey, { [name]: value }));
  });
  test("a stranger's key under the issuer's kid is refused", () => refused(mint({}, strangeKey, { kid: goodKey.kid })));
  test("RSA of 1024 bits is refused", () => refused(mint({}, rsaKey(1024))));
  test.each([
    "../../../../dev/null",
    "/etc/passwd",
    "' OR 1=1 --",
    "$(id)",
    "a\u0000b",
    "__proto__",
    "constructor",
    "0",
  ])(
    "kid %j is refused, keyed with nothing",
    async (kid) => {
      await refused(mint({}, strangeKey, { kid }));
      await refused(hmac({ alg: "HS256", kid }, ""));
    },
    30_000,
  );
  test.each([1, null, {}, [goodKey.kid], "", "x".repeat(2000)])("kid %j is refused", (kid) =>
    refused(mint({}, goodKey, { kid })),
  );
});

describe("header parameters", () => {
  test.each([
    [{ crit: ["exp"] }],
    [{ crit: [] }],
    [{ crit: ["b64"], b64: false }],
    [{ b64: false }],
    [{ b64: true }],
    [{ zip: "DEF" }],
    [{ enc: "A256GCM" }],
    [{ cty: "JWT" }],
    [{ typ: "dpop+jwt" }],
    [{ typ: "secevent+jwt" }],
    [{ typ: 1 }],
  ])("%j is refused", (header) => refused(mint({}, goodKey, header)));
  test("typ JWT is fine in any case", async () => {
    await accepted(mint({}, goodKey, { typ: "JWT" }));
    await accepted(mint({}, goodKey, { typ: "jwt" }));
  });
});

describe("other spellings of the same token", () => {
  const token = mint({ jti: "spelling" });
  const [header = "", payload = "", signature = ""] = token.split(".");
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  /** The same bytes: other unused bits in the last character. */
  const nudge = (part: string) => part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1) as string) + 1];
  const base64 = (part: string) => part.replaceAll("-", "+").replaceAll("_", "/");
  const loose = signRaw({ alg: "RS256", kid: goodKey.kid, x: "?>?>" }, podClaims({ x: "?>?>" }), goodKey);
  test.each([
    ["padding at the end", `${token}=`],
    ["two paddings", `${token}==`],
    ["padding inside", `${header}=.${payload}.${signature}`],
    ["unused bits of the signature", `${header}.${payload}.${nudge(signature)}`],
    ["the alphabet of plain base64", base64(loose)],
    ["a dot at the end", `${token}.`],
    ["a dot in front", `.${token}`],
    ["two dots", `${header}..${payload}.${signature}`],
    ["four parts", `${token}.${signature}`],
    ["five parts (JWE)", `${header}.${payload}.${signature}.AAAA.AAAA`],
    ["two parts", `${header}.${payload}`],
    ["percent encoding", token.replace(".", "%2E")],
    ["a comma and a second token", `${token},${token}`],
    ["a blank inside", `${header}. ${payload}.${signature}`],
    ["a tab inside", `${header}.\t${payload}.${signature}`],
    ["quotes around it", `"${token}"`],
  ])("%s: refused", (_, spelling) => refused(spelling));
  test("the token itself still is accepted, and so is the one with an unusual alphabet", async () => {
    await accepted(token);
    await accepted(loose);
  });
  test("longer than 8 KiB is refused", () => refused(mint({ more: "x".repeat(6200) })));
});

describe("claims", () => {
  test.each([
    ["another issuer", { iss: "https://other.example" }],
    ["the issuer with a slash", { iss: `${issuer}/` }],
    ["the issuer in capitals", { iss: issuer.toUpperCase() }],
    ["no issuer", { iss: undefined }],
    ["a list of issuers", { iss: [issuer] }],
    ["another audience", { aud: ["other"] }],
    ["the audience as a prefix", { aud: `${audience}.evil` }],
    ["no audience", { aud: undefined }],
    ["an empty audience", { aud: [] }],
    ["an audience that is an object", { aud: { 0: audience } }],
    ["an audience with a number in it", { aud: [audience, 1] }],
    ["the API server's audience as well", { aud: [audience, "https://kubernetes.default.svc"] }],
    ["the issuer as a second audience", { aud: [audience, issuer] }],
    ["no exp", { exp: undefined }],
    ["exp in the past", { exp: now - 11, iat: now - 600, nbf: now - 600 }],
    ["exp as text", { exp: String(now + 600) }],
    ["exp 1e308", { exp: 1e308 }],
    ["exp in milliseconds", { exp: (now + 600) * 1000 }],
    ["exp negative", { exp: -1 }],
    ["exp zero", { exp: 0 }],
    ["exp null", { exp: null }],
    ["exp in a list", { exp: [now + 600] }],
    ["no iat", { iat: undefined }],
    ["iat in the future", { iat: now + 3600, exp: now + 7200 }],
    ["iat after exp", { iat: now, exp: now }],
    ["nbf in the future", { nbf: now + 3600 }],
    ["nbf as text", { nbf: "0" }],
    ["a life of a year", { exp: now + 31_536_000 }],
    ["no subject", { sub: undefined }],
    ["a user as subject", { sub: "alice" }],
    ["a node as subject", { sub: "system:node:node-1" }],
    ["a subject with five parts", { sub: "system:serviceaccount:team-a:web:x" }],
    ["a subject with no name", { sub: "system:serviceaccount:team-a:" }],
    ["a subject in capitals", { sub: "system:serviceaccount:Team-A:web" }],
    ["a subject with a newline", { sub: "system:serviceaccount:team-a:web\nX-Evil: 1" }],
    ["a subject that is a list", { sub: ["system:serviceaccount:team-a:web"] }],
    ["another ServiceAccount than in its claims", { sub: "system:serviceaccount:team-a:admin" }],
    ["another namespace than in its claims", { sub: "system:serviceaccount:kube-system:web" }],
    ["no kubernetes.io claims", { "kubernetes.io": undefined }],
    ["kubernetes.io claims without a ServiceAccount", { "kubernetes.io": { namespace: "team-a" } }],
    ["kubernetes.io claims that are text", { "kubernetes.io": "team-a" }],
    [
      "a pod with a newline in its name",
      {
        "kubernetes.io": {
          namespace: "team-a",
          serviceaccount: { name: "web", uid: uids.account },
          pod: { name: "a\r\nb", uid: "u" },
        },
      },
    ],
    ["a UID with a blank", { "kubernetes.io": { namespace: "team-a", serviceaccount: { name: "web", uid: "a b" } } }],
  ])("%s: refused although the issuer signed it", (_, claims) => refused(mint(claims)));

  test("of duplicate claims the last one counts, for all of the verifier alike (RFC 7519 section 4)", async () => {
    const text = JSON.stringify(podClaims());
    const evilFirst = text.replace("{", '{"sub":"system:serviceaccount:kube-system:admin",');
    const evilLast = text.replace(/}$/, ',"sub":"system:serviceaccount:kube-system:admin"}');
    const header = { alg: "RS256", kid: goodKey.kid };
    await accepted(signRaw(header, evilFirst, goodKey));
    await refused(signRaw(header, evilLast, goodKey));
  });
  test.each(["[]", "null", '"text"', "1", "{", "", '{"a":1}garbage', "\ufeff{}"])(
    "a payload %j is refused",
    (payload) => refused(signRaw({ alg: "RS256", kid: goodKey.kid }, payload, goodKey)),
  );
  test.each(["[]", "null", "{", '{"alg":"RS256"'])("a header %j is refused", (header) =>
    refused(signRaw(header, podClaims(), goodKey)),
  );
  test("invalid UTF-8 is refused", () => {
    const payload = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]).toString(
      "base64url",
    );
    return refused(`${encode({ alg: "RS256", kid: goodKey.kid })}.${payload}.AAAA`);
  });
});
