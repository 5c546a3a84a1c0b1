/** Arbitrary answers in place of Akeyless's: each is understood, or is one error with a code that shows nothing of what was sent. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { AkeylessTestGateway } from "../../../demo/akeyless/index.ts";
import { typeMismatch } from "../../../provider/akeyless/api/shape.ts";
import { differences } from "../../../provider/akeyless/authConfigFields.ts";
import { akeylessAuthMethod } from "../../../provider/akeyless/authMethod.ts";
import { akeylessCertificate } from "../../../provider/akeyless/certificate.ts";
import { akeylessGatewayAuthConfig } from "../../../provider/akeyless/index.ts";
import { akeylessRole } from "../../../provider/akeyless/role.ts";
import { akeylessRoleAssociation } from "../../../provider/akeyless/roleAssociation.ts";
import { ProviderError } from "../../../provider/protocol/errors.ts";
import type { AnyResource } from "../../../provider/protocol/resource.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { apiOf, contextFor, keyPair, startGateway, tokenConfig } from "../../support/akeyless.ts";
import { type Json, json, rejectionOf, runs, spoiled, textWith } from "./arbitraries.ts";

const { publicKey, signingKey } = keyPair();
const certificatePem = makeCertificate({ commonName: "reviewer" }).certPem;
let gateway: AkeylessTestGateway;
/** One object for all operations, as the environment of a process is: connections are kept by it. */
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  gateway = await startGateway();
  env = gateway.env;
});
afterEach(() => {
  gateway.fault = () => undefined;
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** Error of an operation, or undefined. It has to be one of the catalogue, without a secret. */
async function failureOf(work: Promise<unknown>, ...secrets: readonly string[]): Promise<ProviderError | undefined> {
  const error = await rejectionOf(work);
  if (error === undefined) return undefined;
  expect(error, String((error as Error).stack)).toBeInstanceOf(ProviderError);
  const { code, message } = error as ProviderError;
  expect(code).toMatch(/^AKEYLESS_/);
  for (const secret of [signingKey, gateway.accessKey, ...secrets]) expect(message).not.toContain(secret);
  return error as ProviderError;
}

describe("the client", () => {
  test("returns an object or an error with a code, whatever the server answers, and repeats nothing that it was sent", async () => {
    const secret = randomBytes(18).toString("base64url");
    const words = fc.tuple(
      textWith("Status 401", "Error: NotFound", ". Message: "),
      textWith("already exists", "expired"),
    );
    const repeated = words.map((parts) => JSON.stringify({ error: parts.join(`${secret} `), message: secret }));
    const body = fc.oneof(
      repeated,
      json.map((value) => JSON.stringify(value)),
      textWith("{", "<html>", secret),
    );
    const status = fc.oneof(
      fc.integer({ min: 200, max: 599 }),
      fc.constantFrom(200, 400, 401, 403, 404, 409, 429, 500, 503),
    );
    const type = fc.constantFrom("application/json", "text/html; charset=utf-8", "");
    const api = apiOf(gateway, { AKEYLESS_AUTH_TOKEN: secret }, { attempts: 1 });
    await fc.assert(
      fc.asyncProperty(status, body, type, async (code, text, contentType) => {
        gateway.fault = () => ({ status: code, body: text, contentType });
        const call = api.call("/set-role-rule", { jwt: secret }, "repeatable").then((value) => {
          expect(value).toBeTypeOf("object");
          expect(Array.isArray(value)).toBe(false);
        });
        const failure = await failureOf(call, secret);
        if (code >= 300) expect(failure).toBeDefined();
      }),
      runs(300),
    );
  });

  test("waits no longer than its deadline, whatever pause the server asks for", async () => {
    const pause = fc.oneof(fc.nat({ max: 1_000_000_000 }), fc.constantFrom(Number.MAX_SAFE_INTEGER, -1));
    const api = apiOf(gateway, { AKEYLESS_AUTH_TOKEN: "t-1" }, { timeoutMs: 30, attempts: 3 });
    await fc.assert(
      fc.asyncProperty(pause, async (retryAfter) => {
        gateway.fault = () => ({ status: 429, body: '{"error":"busy"}', retryAfter });
        expect(await failureOf(api.find("/get-role", {}))).toMatchObject({
          code: expect.stringMatching(/_(BUSY|TIMEOUT)$/),
        });
      }),
      runs(20),
    );
  });
});

describe("an answer's shape", () => {
  const shape = {
    text: "string",
    list: [{ count: "number" }],
    map: { "*": ["string"] },
    inner: { is: "boolean" },
  } as const;
  const good = {
    text: "a",
    list: [{ count: 1 }, { count: 2 }],
    map: { any: ["b"], "": [] },
    inner: { is: true },
    more: [1],
  };

  test("fits what Go leaves out, and nothing whose type is another", () => {
    expect(typeMismatch(good, shape)).toBeUndefined();
    expect(typeMismatch({ text: null, list: null, map: null, inner: {} }, shape)).toBeUndefined();
    fc.assert(
      fc.property(spoiled(good), (value) => {
        if (typeMismatch(value, shape) !== undefined) return;
        const { text, list, map, inner } = value as Partial<typeof good>;
        for (const { count } of list ?? []) expect(["number", "undefined", "object"]).toContain(typeof count);
        for (const one of Object.values(map ?? {}).flat()) expect(one).toBeTypeOf("string");
        expect([...(text ?? "")].join("")).toBe(text ?? "");
        expect(typeof (inner?.is ?? true)).toBe("boolean");
      }),
      runs(500),
    );
  });

  test("is described without its content", () => {
    fc.assert(
      fc.property(spoiled({ ...good, text: "S3CR3T", map: { S3CR3T: ["S3CR3T"] } }), (value) => {
        expect(typeMismatch(value, shape) ?? "").not.toContain("S3CR3T");
      }),
    );
  });

  test("of an auth config may hold anything", () => {
    const live = {
      auth_method_access_id: "p-1",
      k8s_host: "https://h",
      auth_method_prv_key_pem: signingKey,
      use_local_ca_jwt: true,
    };
    fc.assert(
      fc.property(spoiled(live), (value) => {
        fc.pre(typeof value === "object" && value !== null);
        for (const field of differences(tokenConfig(signingKey), value as object as Record<string, unknown>)) {
          expect(tokenConfig(signingKey)).toHaveProperty([field]);
        }
      }),
    );
  });
});

describe("a server that answers one command with something else", () => {
  interface Life {
    readonly resource: unknown;
    readonly inputs: () => Record<string, unknown>;
    readonly changed: Record<string, unknown>;
    readonly commands: readonly string[];
  }
  const ownKey = { "gen-key": "false", "public-key": Buffer.from(publicKey).toString("base64") };
  const api = () => ({ apiUrl: gateway.publicApi, caPem: gateway.caPem });
  const lives: Readonly<Record<string, Life>> = {
    "auth method": {
      resource: akeylessAuthMethod,
      inputs: () => ({
        ...api(),
        name: "/m",
        publicKey,
        boundNamespaces: ["shop"],
        boundIps: ["10.0.0.0/8"],
        expirationEventIn: ["30"],
      }),
      changed: { name: "/n", boundNamespaces: ["till"] },
      commands: ["auth-method-create-k8s", "auth-method-get", "auth-method-update-k8s", "auth-method-delete"],
    },
    "auth config": {
      resource: akeylessGatewayAuthConfig,
      inputs: () => ({ gatewayApi: gateway.gatewayApi, caPem: gateway.caPem, config: tokenConfig(signingKey) }),
      changed: { config: { ...tokenConfig(signingKey), "k8s-issuer": "https://other.example" } },
      commands: ["gateway-create-k8s-auth-config", "gateway-get-k8s-auth-config", "gateway-update-k8s-auth-config"],
    },
    certificate: {
      resource: akeylessCertificate,
      inputs: () => ({
        ...api(),
        name: "/c",
        certificatePem,
        expirationEventIn: ["30"],
        eventForwarder: "/mail",
        tags: ["a"],
      }),
      changed: { tags: ["b"], eventForwarder: "/other", expirationEventIn: ["7"] },
      commands: ["create-certificate", "describe-item", "get-certificate-value", "event-forwarder-get", "update-item"],
    },
    role: {
      resource: akeylessRole,
      inputs: () => ({ ...api(), name: "/r", description: "d", rules: [{ path: "/shop/*", capabilities: ["read"] }] }),
      changed: { name: "/s", rules: [{ path: "/till/*", capabilities: ["list"] }] },
      commands: ["create-role", "get-role", "set-role-rule", "delete-role-rule", "update-role"],
    },
    "role association": {
      resource: akeylessRoleAssociation,
      inputs: () => {
        const { roles, methods } = gateway.account;
        roles.add("/r");
        const made = methods.commands["auth-method-create-k8s"]?.({ name: "/m", ...ownKey });
        const { access_id: accessId } = (made ?? {}) as Record<string, string>;
        return {
          ...api(),
          roleName: "/r",
          authMethodName: "/m",
          accessId,
          subClaims: { namespace: ["shop"] },
          caseSensitive: true,
        };
      },
      changed: { subClaims: { aud: "a" } },
      commands: ["assoc-role-am", "get-role", "update-assoc"],
    },
  };

  /** Creates, refreshes, changes and deletes an object, and creates it again where it exists: whatever fails, the next step follows. */
  async function live({ resource, inputs, changed }: Life, before?: Made): Promise<Made> {
    const { create, read, update, delete: remove } = resource as AnyResource;
    const { context } = contextFor(env);
    gateway.account.clear();
    gateway.configs.clear();
    gateway.account.forwarders.set("/mail", { enabled: true, types: [], paths: ["/*"] });
    const given = inputs();
    let made = before;
    for (let times = 0; times < 2; times++) {
      const creating = create(given, context).then((result) => {
        made = result;
      });
      await failureOf(creating);
    }
    if (made === undefined) throw new Error("nothing was created");
    const state = { ...made, inputs: given };
    await failureOf(read(state, context));
    await failureOf(update(state, { ...given, ...changed }, context));
    await failureOf(Promise.resolve(remove?.(state, context)));
    return made;
  }

  type Made = Awaited<ReturnType<AnyResource["create"]>>;

  const cases = Object.entries(lives).flatMap(([name, { commands }]) =>
    commands.map((command) => [name, command] as const),
  );

  test.each(cases)("%s, %s", async (name, command) => {
    const life = lives[name] as Life;
    gateway.calls.length = 0;
    const made = await live(life);
    const answer = gateway.calls.findLast((call) => call.command === command && call.answer)?.answer;
    const good = JSON.parse(JSON.stringify(answer ?? {})) as Json;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof({ weight: 4, arbitrary: spoiled(good) }, { weight: 1, arbitrary: json }),
        async (value) => {
          gateway.fault = (call) =>
            call.command === command ? { status: 200, body: JSON.stringify(value) } : undefined;
          await live(life, made);
          gateway.fault = () => undefined;
        },
      ),
      runs(10),
    );
  });
});
