/** Published test vectors of JSON Web Signatures, Keys and Encryption (Project Wycheproof), as an issuer's keys and its callers' tokens. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../../verifier/clock.ts";
import { Refusal, VerifierError } from "../../../../verifier/errors.ts";
import { IssuerKeys } from "../../../../verifier/keys/issuerKeys.ts";
import { type KeySet, parseJwks } from "../../../../verifier/keys/keySet.ts";
import { decodeHeader } from "../../../../verifier/token/decode.ts";
import { checkGrammar } from "../../../../verifier/token/grammar.ts";
import { verifySignature } from "../../../../verifier/token/signature.ts";
import { goModule } from "../../../support/goModule.ts";
import { issuer } from "../../../support/verifier/tokens.ts";
import { Folder, type Verifier, verifier } from "../../../support/verifier/verifier.ts";

type Jwk = Readonly<Record<string, unknown>>;

interface Vector {
  readonly id: number;
  readonly comment: string;
  readonly valid: boolean;
  readonly token: string;
}

interface Group {
  readonly name: string;
  readonly keys: readonly Jwk[];
  readonly vectors: readonly Vector[];
}

interface PublishedGroup {
  readonly comment: string;
  /** A key or a key set; symmetric ones have the private one alone. */
  readonly public?: Jwk;
  readonly private: Jwk;
  readonly tests: readonly { tcId: number; comment: string; result: string; jws?: unknown; jwe?: unknown }[];
}

const files = ["json_web_signature", "json_web_key", "json_web_crypto", "json_web_encryption"];
const folder = join(await goModule("github.com/c2sp/wycheproof"), "testvectors_v1");

function groupsOf(file: string): Group[] {
  const text = readFileSync(join(folder, `${file}_test.json`), "utf8");
  const { testGroups } = JSON.parse(text) as { testGroups: PublishedGroup[] };
  return testGroups.map((group) => {
    const key = group.public ?? group.private;
    const vectors = group.tests.map(({ tcId, comment, result, jws, jwe }) => {
      const token = jws ?? jwe;
      // Tokens that are not in the compact form are sent all the same.
      return {
        id: tcId,
        comment,
        valid: result === "valid",
        token: typeof token === "string" ? token : JSON.stringify(token),
      };
    });
    return { name: group.comment, keys: (key.keys as Jwk[] | undefined) ?? [key], vectors };
  });
}

const keySets = new WeakMap<readonly Jwk[], KeySet>();

/** Parsed once for all vectors of a group, because the checks of RSA keys take time. */
function keySetOf(keys: readonly Jwk[]): KeySet {
  const set = keySets.get(keys) ?? parseJwks(JSON.stringify({ keys }), "the vector's key set");
  keySets.set(keys, set);
  return set;
}

/** Decision about a token by keys, grammar, header and signature, without its claims. */
async function signatureOutcome(token: string, keys: readonly Jwk[]): Promise<string> {
  try {
    const set = keySetOf(keys);
    const load = async () => ({ set, issuer, freshForMs: 60_000 });
    const issuerKeys = new IssuerKeys({ load, clock: systemClock, maxStaleMs: 0, waits: false });
    await issuerKeys.refresh();
    checkGrammar(token);
    await verifySignature(token, decodeHeader(token), issuerKeys);
    return "accepted";
  } catch (error) {
    if (error instanceof Refusal) return error.reason;
    if (error instanceof VerifierError) return error.code;
    throw error;
  }
}

/** Why a vector that is right by the standards is no token here. */
function whyNone({ token }: Vector, keys: readonly Jwk[]): string | undefined {
  const [key = {}] = keys;
  if (keys.every(({ kty }) => kty === "oct")) return "symmetric";
  if (token.split(".").length === 5) return "encrypted";
  if (key.use === "enc") return "a key for encryption";
  if (token.includes("..")) return "no payload";
  const { alg } = JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()) as { alg: string };
  return alg === key.alg ? undefined : "an algorithm that is not the key's own";
}

describe.each(files)("%s", (file) => {
  const groups = groupsOf(file);
  const vectors = groups.flatMap(({ name, keys, vectors }) => vectors.map((vector) => ({ name, keys, vector })));
  const label = ({ name, vector }: { name: string; vector: Vector }) => `${name} ${vector.id} ${vector.comment}`;

  test("every invalid vector is refused by key, grammar, header or signature", async () => {
    const accepted: string[] = [];
    const invalid = vectors.filter(({ vector }) => !vector.valid);
    expect(invalid.length).toBeGreaterThan(20);
    for (const one of invalid) {
      if ((await signatureOutcome(one.vector.token, one.keys)) === "accepted") accepted.push(label(one));
    }
    expect(accepted).toEqual([]);
  });

  test("every valid vector verifies, unless it is of a kind that ServiceAccount tokens never have", async () => {
    const refused: string[] = [];
    for (const one of vectors.filter(({ vector }) => vector.valid)) {
      const outcome = await signatureOutcome(one.vector.token, one.keys);
      const why = whyNone(one.vector, one.keys);
      if ((outcome === "accepted") !== (why === undefined)) refused.push(`${label(one)}: ${outcome}, ${why}`);
    }
    expect(refused).toEqual([]);
  });

  test("a verifier that trusts the key answers 401 to every vector, valid or not", {
    timeout: 60_000,
  }, async () => {
    using files = new Folder();
    const wrong: string[] = [];
    let asked = 0;
    for (const { name, keys, vectors } of groups) {
      const settings = {
        mode: "jwt-pubkey",
        issuer,
        publicKeyFile: files.write("keys.json", JSON.stringify({ keys })),
      };
      let one: Verifier;
      try {
        one = await verifier(settings);
      } catch (error) {
        // A key set without a usable key is no configuration.
        expect(error).toMatchObject({ code: "KEYS_NONE_USABLE" });
        continue;
      }
      await using _ = one;
      for (const vector of vectors) {
        asked += 1;
        const { status } = await one.ask(vector.token);
        if (status !== 401) wrong.push(`${label({ name, vector })}: ${status}`);
      }
    }
    expect(wrong).toEqual([]);
    if (file !== "json_web_encryption") expect(asked).toBeGreaterThan(0);
  });
});
