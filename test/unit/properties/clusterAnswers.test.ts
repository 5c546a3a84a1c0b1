/** Arbitrary answers in place of those of an API server or of Rancher: each is understood, or is one error with a code that shows no credential. */
import type { ServerResponse } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isKubeError, KubeClient, KubeError } from "../../../kubernetes/index.ts";
import { reviewSelf, reviewToken } from "../../../kubernetes/reviews.ts";
import { ProviderError } from "../../../provider/protocol/errors.ts";
import { rancherKey } from "../../../provider/rancher/rancherKey.ts";
import { mint } from "../../../provider/token/tokenProof.ts";
import { boundToken } from "../../../provider/token/tokenRequest.ts";
import { contextFor } from "../../support/akeyless.ts";
import { answer, type LocalServer, localServer, testCa } from "../../support/server.ts";
import { encode } from "../../support/verifier/tokens.ts";
import { type Json, json, rejectionOf, runs, spoiled, textWith } from "./arbitraries.ts";

const secret = "S3CR3T-S3CR3T-S3CR3T";
const apiKey = `token-abcde:${secret}`;
const subject = "system:serviceaccount:auth:reviewer";
const jwt = `${encode({ alg: "RS256" })}.${encode({ sub: subject, iss: "https://i.example", exp: 2_000_000_000, nbf: 1 })}.c2ln`;
const { context } = contextFor({});
let server: LocalServer;
let client: KubeClient;
/** Answers every request. */
let respond: (response: ServerResponse, path: string) => void = () => {};

beforeAll(async () => {
  server = await localServer((request, response) => respond(response, request.url ?? ""));
  const at = { server: server.url, caPem: testCa.certPem, token: secret };
  client = KubeClient.direct(at, { attempts: 1, timeoutMs: 5_000 });
});
afterAll(async () => {
  client?.close();
  await server?.[Symbol.asyncDispose]();
});

/** Error of an operation, or undefined. It has to be one of a catalogue, without a secret. */
async function failureOf(work: Promise<unknown>): Promise<KubeError | ProviderError | undefined> {
  const error = await rejectionOf(work);
  if (error === undefined) return undefined;
  const isOurs = error instanceof KubeError || error instanceof ProviderError;
  expect(isOurs, String((error as Error).stack)).toBe(true);
  expect((error as Error).message).not.toContain(secret);
  return error as KubeError;
}

const good: Json = {
  kind: "TokenReview",
  status: {
    authenticated: true,
    audiences: ["a"],
    error: "none",
    user: { username: subject, uid: "u" },
    userInfo: { username: subject },
    token: jwt,
    expirationTimestamp: "2033-05-18T03:33:20Z",
  },
};

describe("the client", () => {
  test("returns an object or an error with a code, whatever the server answers, and repeats no credential", async () => {
    const status: Json = {
      kind: "Status",
      message: `Bearer ${secret}`,
      reason: secret,
      details: { causes: [{ reason: "a" }] },
    };
    const body = fc.oneof(
      spoiled(status).map((value) => JSON.stringify(value)),
      json.map((value) => JSON.stringify(value)),
      textWith("{", "<html>", secret, '"message":'),
    );
    const code = fc.oneof(
      fc.integer({ min: 200, max: 599 }),
      fc.constantFrom(200, 201, 302, 401, 403, 404, 409, 422, 429, 503),
    );
    const headers = fc.record(
      {
        "Retry-After": fc.constantFrom("0", "x"),
        Location: fc.constantFrom("/a", "https://b.example/c?d", "http://["),
        "Content-Type": fc.constantFrom("text/html", ";"),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(code, body, headers, fc.constantFrom("GET", "POST"), async (number, text, more, method) => {
        respond = (response) => response.writeHead(number, more).end(text);
        const failure = await failureOf(
          client.request(method, "/api/v1/x", { body: method === "POST" ? {} : undefined }).then((value) => {
            if (value !== undefined) expect(value).toBeTypeOf("object");
            expect(Array.isArray(value)).toBe(false);
          }),
        );
        if (number >= 300) expect(isKubeError(failure)).toBe(true);
      }),
      runs(300),
    );
  });
});

describe("an API server that answers something else", () => {
  const account = { namespace: "auth", serviceAccountName: "reviewer" };
  const wanted = { ...account, serviceAccountUid: "u", secretName: "s", secretUid: "v" };
  const operations = {
    "a review": async () => {
      const found = await reviewToken(client, jwt, ["a"]);
      expect(Object.values(found).map((value) => typeof value)).toEqual([
        "boolean",
        "string",
        "string",
        "object",
        "string",
      ]);
      expect(Array.isArray(found.audiences)).toBe(true);
    },
    "a review of oneself": async () => expect(typeof ((await reviewSelf(client))?.username ?? "")).toBe("string"),
    "a token for a workload": async () => expect(await mint(client, account, "a", context)).toBeTypeOf("string"),
    "a token that expires": async () => {
      const credential = await boundToken(client, wanted, { expirationSeconds: 600, renewBefore: 60 }, context);
      expect(credential.token).toBeTypeOf("string");
      for (const date of [credential.notBefore, credential.notAfter, credential.renewAfter]) {
        expect(date).toMatch(/^[+\d-]+T[\d:]+Z$/);
      }
    },
  };

  test.each(Object.entries(operations))("to %s is understood, or is an error with a code", async (_name, operate) => {
    const numbers = fc.constantFrom(1e300, -1e300, 8.64e12, 8.65e12, 0, -1, 1.5);
    const odd = fc.record({ exp: numbers, nbf: numbers, iat: fc.oneof(numbers, json) }, { requiredKeys: [] });
    const strange = odd.map((claims) => ({
      status: { token: `e30.${encode(claims)}.x`, expirationTimestamp: "never" },
    }));
    await fc.assert(
      fc.asyncProperty(fc.oneof(spoiled(good), json, strange), async (value) => {
        respond = (response) => answer(response, 201, value);
        await failureOf(operate());
      }),
      runs(100),
    );
  });
});

describe("a Rancher server that answers something else", () => {
  test("is understood, or is an error with a code that does not show the key", async () => {
    const cluster: Json = { kind: "Namespace", metadata: { name: "kube-system", uid: "u" } };
    const key: Json = { id: "token-abcde", expiresAt: "2033-05-18T03:33:20Z" };
    const goodAnswers: Readonly<Record<string, Json>> = { tokenreviews: good, namespaces: cluster, tokens: key };
    const refused = fc.constantFrom(401, 403, 404).chain((status) =>
      textWith(apiKey, " ", "must authenticate").map((message) => ({
        status,
        body: { type: "error", message } as Json,
      })),
    );
    const spoilt = fc.constantFrom(...Object.entries(goodAnswers)).chain(([name, value]) =>
      fc
        .oneof(
          spoiled(value).map((body) => ({ status: 200, body })),
          json.map((body) => ({ status: 200, body })),
          refused,
        )
        .map((one) => ({ name, ...one })),
    );
    const inputs = {
      server: server.url,
      caPem: testCa.certPem,
      apiKey,
      clusterId: "c-1",
      clusterUid: "u",
      allowLoopback: true,
      proveHost: true,
    };
    await fc.assert(
      fc.asyncProperty(spoilt, async ({ name, status, body }) => {
        respond = (response, path) => {
          const asked = Object.keys(goodAnswers).find((one) => path.includes(`/${one}`)) ?? "";
          if (asked === name) answer(response, status, body);
          else answer(response, 200, goodAnswers[asked] ?? {});
        };
        const shown: unknown[] = [];
        await failureOf(rancherKey.create(inputs, { ...context, timeoutMs: 400 }).then((made) => shown.push(made)));
        expect(JSON.stringify(shown)).not.toContain(secret);
      }),
      runs(60),
    );
  });

  test("is asked with a key of the form NAME:SECRET alone, so that no secret is taken for the name", () => {
    const inputs = { server: "https://rancher.example", clusterId: "c-1", allowLoopback: false, proveHost: true };
    fc.assert(
      fc.property(textWith("token-a", ":", "Bearer ", secret), (given) => {
        const failures = rancherKey.check?.({
          known: { ...inputs, apiKey: given },
          unknown: new Set(),
        }) as readonly object[];
        expect(failures.length === 0).toBe(/^[\w.-]+:[\w.-]+$/.test(given));
        expect(JSON.stringify(failures)).not.toContain(secret);
      }),
    );
  });
});
