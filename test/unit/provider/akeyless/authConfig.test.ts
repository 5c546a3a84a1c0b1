import { describe, expect, test } from "vitest";
import {
  type AuthConfigInputs,
  type AuthConfigOutputs,
  akeylessGatewayAuthConfig,
} from "../../../../provider/akeyless/authConfig.ts";
import type { AuthConfig } from "../../../../provider/akeyless/authConfigFields.ts";
import {
  accountConfig,
  certificateConfig,
  contextFor,
  failureOf,
  inputsOf,
  keyPair,
  rancherConfig,
  startGateway,
  tokenConfig,
  useGateway,
} from "../../../support/akeyless.ts";

const resource = akeylessGatewayAuthConfig;
const { signingKey } = keyPair();
const newJwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyb3RhdGVkIn0.c2lnbmF0dXJl";
const gateway = await useGateway();

function inputs(config: AuthConfig, more: Partial<AuthConfigInputs> = {}): AuthConfigInputs {
  return { gatewayApi: gateway.gatewayApi, caPem: gateway.caPem, config, ...more };
}

async function made(config: AuthConfig) {
  const given = inputs(config);
  const { id, outputs } = await resource.create(given, contextFor(gateway.env).context);
  gateway.calls.length = 0;
  return { id, inputs: given, outputs };
}

function operate() {
  return contextFor(gateway.env).context;
}

function written(): string[] {
  return gateway.commands.filter((command) => /create|update|delete/.test(command));
}

describe("each kind is created, read back without a difference, and deleted", () => {
  test.each([
    ["token", tokenConfig(signingKey)],
    ["certificate", certificateConfig(signingKey)],
    ["rancher", rancherConfig(signingKey)],
    ["gateway-account", accountConfig(signingKey)],
  ])("%s", async (kind, config) => {
    const state = await made(config);
    expect(state.id).toBe("k8s-conf");
    expect(state.outputs).toMatchObject({ name: "k8s-conf", accessId: "p-0123456789ab", kind, drift: [] });
    const read = await resource.read(state, operate());
    expect(read).toEqual({ id: state.id, outputs: state.outputs });
    await resource.delete?.(state, operate());
    expect(gateway.configs.size).toBe(0);
  });
});

test("no output holds a secret of the config", async () => {
  for (const config of [tokenConfig(signingKey), certificateConfig(signingKey), rancherConfig(signingKey)]) {
    const { outputs } = await made(config);
    const shown = JSON.stringify(outputs);
    for (const field of ["signing-key", "token-reviewer-jwt", "k8s-client-key", "rancher-api-key"]) {
      const secret = (config as AuthConfig)[field];
      if (secret) expect(shown).not.toContain(String(secret));
    }
    gateway.configs.clear();
  }
});

describe("an update", () => {
  test("sends every field again with the same new-name, in one call, and reads it back", async () => {
    const state = await made(tokenConfig(signingKey));
    const config = tokenConfig(signingKey, { "token-reviewer-jwt": newJwt });
    const outputs = await resource.update(state, inputs(config), operate());
    expect(written()).toEqual(["gateway-update-k8s-auth-config"]);
    const update = gateway.calls.find(({ command }) => command === "gateway-update-k8s-auth-config");
    expect(update?.body).toEqual({ ...config, "new-name": "k8s-conf" });
    expect(outputs.configSha256).not.toBe(state.outputs.configSha256);
    expect(gateway.configs.get("k8s-conf")?.k8s_token_reviewer_jwt).toBe(newJwt);
  });

  test("from token to certificate works in place", async () => {
    const state = await made(tokenConfig(signingKey));
    await resource.update(state, inputs(certificateConfig(signingKey)), operate());
    expect(gateway.configs.get("k8s-conf")?.k8s_auth_type).toBe("client_cert");
  });

  test("that the gateway does not take as sent brings the config before it back", async () => {
    const state = await made(tokenConfig(signingKey));
    gateway.fault = ({ body }) => {
      if (body["token-reviewer-jwt"] === newJwt) Object.assign(body, { "token-reviewer-jwt": "a.b.c" });
      return undefined;
    };
    const config = tokenConfig(signingKey, { "token-reviewer-jwt": newJwt });
    const { code, message } = await failureOf(resource.update(state, inputs(config), operate()));
    expect(code).toBe("AKEYLESS_NOT_TAKEN");
    expect(message).toMatch(/another token-reviewer-jwt.*The previous config is restored/);
    expect(gateway.configs.get("k8s-conf")?.k8s_token_reviewer_jwt).toBe(state.inputs.config["token-reviewer-jwt"]);
  });

  test("that fails leaves the old config, and the next one finishes", async () => {
    const state = await made(tokenConfig(signingKey));
    const config = tokenConfig(signingKey, { "token-reviewer-jwt": newJwt });
    gateway.fault = ({ command }) =>
      command === "gateway-update-k8s-auth-config" ? { status: 400, body: '{"error":"no"}' } : undefined;
    expect((await failureOf(resource.update(state, inputs(config), operate()))).code).toBe("AKEYLESS_INVALID");
    expect(gateway.configs.get("k8s-conf")?.k8s_token_reviewer_jwt).toBe(state.inputs.config["token-reviewer-jwt"]);
    gateway.fault = () => undefined;
    await resource.update(state, inputs(config), operate());
    expect(gateway.configs.get("k8s-conf")?.k8s_token_reviewer_jwt).toBe(newJwt);
  });

  test("of a config that somebody deleted makes it again", async () => {
    const state = await made(tokenConfig(signingKey));
    gateway.configs.clear();
    await resource.update(state, state.inputs, operate());
    expect(gateway.configs.has("k8s-conf")).toBe(true);
  });

  test("to another URL of the same gateway keeps the config there", async () => {
    const state = await made(tokenConfig(signingKey));
    const other = gateway.gatewayApi.replace("127.0.0.1", "localhost");
    await resource.update(state, inputs(tokenConfig(signingKey), { gatewayApi: other }), operate());
    expect(gateway.configs.has("k8s-conf")).toBe(true);
    expect(written()).toEqual([]);
  });

  test("to another gateway makes it there first, then deletes it here", async () => {
    await using second = await startGateway();
    const state = await made(tokenConfig(signingKey));
    const session = second.session();
    gateway.accept(session);
    const { context } = contextFor({ AKEYLESS_TOKEN: session });
    const moved = inputs(tokenConfig(signingKey), { gatewayApi: second.gatewayApi, caPem: second.caPem });
    await resource.update(state, moved, context);
    expect(second.configs.has("k8s-conf")).toBe(true);
    expect(gateway.configs.has("k8s-conf")).toBe(false);
  });
});

describe("a create", () => {
  test("refuses a name that somebody else has, and leaves theirs as it is", async () => {
    await made(tokenConfig(signingKey, { "access-id": "p-somebodyelse" }));
    const { code, message } = await failureOf(resource.create(inputs(tokenConfig(signingKey)), operate()));
    expect(code).toBe("AKEYLESS_NAME_TAKEN");
    expect(message).toMatch(/"k8s-conf" already, with another access-id/);
    expect(gateway.configs.get("k8s-conf")?.auth_method_access_id).toBe("p-somebodyelse");
    expect(written()).toEqual([]);
  });

  test("does not take the name of another flow's config", async () => {
    await made(certificateConfig(signingKey));
    const { message } = await failureOf(resource.create(inputs(tokenConfig(signingKey)), operate()));
    expect(message).toMatch(/with another k8s-auth-type/);
    expect(gateway.configs.get("k8s-conf")?.k8s_auth_type).toBe("client_cert");
  });

  test("goes on with what a killed run of the same stack has left", async () => {
    await made(tokenConfig(signingKey));
    const config = tokenConfig(signingKey, { "token-reviewer-jwt": newJwt });
    await resource.create(inputs(config), operate());
    expect(gateway.configs.get("k8s-conf")?.k8s_token_reviewer_jwt).toBe(newJwt);
    expect(written()).toEqual(["gateway-update-k8s-auth-config"]);
  });

  test("whose answer was lost is found by the next one, and nothing is created twice", async () => {
    gateway.fault = ({ command }) => (command === "gateway-create-k8s-auth-config" ? "lost" : undefined);
    expect((await failureOf(resource.create(inputs(tokenConfig(signingKey)), operate()))).code).toBe("AKEYLESS_RESET");
    gateway.fault = () => undefined;
    gateway.calls.length = 0;
    await resource.create(inputs(tokenConfig(signingKey)), operate());
    expect(written()).toEqual([]);
  });

  test("at the service's own API says that a gateway is needed", async () => {
    const failure = failureOf(
      resource.create(inputs(tokenConfig(signingKey), { gatewayApi: gateway.publicApi }), operate()),
    );
    expect((await failure).code).toBe("AKEYLESS_PUBLIC_GATEWAY");
  });

  test.each([
    ["a CA that is raw PEM", { "k8s-ca-cert": "-----BEGIN CERTIFICATE-----" }, /k8s-ca-cert/],
    ["a token that is base64", { "token-reviewer-jwt": Buffer.from(newJwt).toString("base64") }, /token-reviewer-jwt/],
    ["a boolean where text is due", { "disable-issuer-validation": true }, /disable-issuer-validation/],
    ["a signing key that is none", { "signing-key": "bm90IGEga2V5" }, /signing-key/],
  ])("of %s is refused by the gateway with the field's name", async (_what, wrong, message) => {
    const config = { ...tokenConfig(signingKey), ...wrong };
    const failure = await failureOf(resource.create(inputs(config), operate()));
    expect(failure.code).toBe("AKEYLESS_INVALID");
    expect(failure.message).toMatch(message);
  });
});

describe("a refresh", () => {
  test.each([
    ["k8s-host", { k8s_host: "https://elsewhere.example.com" }],
    [
      "k8s-ca-cert",
      { k8s_ca_cert: Buffer.from("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n").toString("base64") },
    ],
    ["token-reviewer-jwt", { k8s_token_reviewer_jwt: newJwt }],
    ["access-id", { auth_method_access_id: "p-other" }],
    ["cluster-api-type", { cluster_api_type: "rancher" as const }],
    ["k8s-auth-type", { k8s_auth_type: "client_cert" as const }],
    ["disable-issuer-validation", { disable_iss_validation: false }],
  ])("shows that somebody changed %s, and the next update heals it", async (field, change) => {
    const state = await made(tokenConfig(signingKey));
    const live = gateway.configs.get("k8s-conf") ?? expect.fail();
    gateway.configs.set("k8s-conf", { ...live, ...change });
    const read = await resource.read(state, operate());
    expect(read?.outputs.drift).toEqual([field]);
    const drifted = { ...state, outputs: read?.outputs as AuthConfigOutputs };
    expect(await resource.diff(drifted, inputsOf(state.inputs), operate())).toEqual({ config: "update" });
    const outputs = await resource.update(drifted, state.inputs, operate());
    expect(outputs.drift).toEqual([]);
    expect((await resource.read({ ...state, outputs }, operate()))?.outputs.drift).toEqual([]);
  });

  test("takes other encodings, masked and missing fields for no difference", async () => {
    const state = await made(tokenConfig(signingKey));
    const live = gateway.configs.get("k8s-conf") ?? expect.fail();
    gateway.configs.set("k8s-conf", {
      ...live,
      k8s_ca_cert: `${Buffer.from(live.k8s_ca_cert, "base64").toString()}\r\n`,
      k8s_token_reviewer_jwt: "",
      auth_method_prv_key_pem: "*****",
      k8s_host: `${live.k8s_host}/`,
    });
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual([]);
  });

  test("says that a config is gone; to delete it is nothing then", async () => {
    const state = await made(tokenConfig(signingKey));
    gateway.configs.clear();
    expect(await resource.read(state, operate())).toBeUndefined();
    await resource.delete?.(state, operate());
  });

  test("warns where the gateway cannot be asked, and takes nothing for changed", async () => {
    const state = await made(tokenConfig(signingKey));
    const outputs = { ...state.outputs, gatewayApi: "https://gateway.invalid/api/v2" };
    const { context, lines } = contextFor(gateway.env);
    expect((await resource.read({ ...state, outputs }, context))?.outputs).toEqual(outputs);
    expect(lines.join("\n")).toMatch(/was not checked.*cannot be resolved/);
  });
});

describe("preview and diff send no request", () => {
  test("nothing changes for equal inputs, whatever proves or authenticates", async () => {
    const state = await made(tokenConfig(signingKey));
    const again = inputs(tokenConfig(signingKey), { caPem: "", proofAccount: "a/b" });
    expect(await resource.diff(state, inputsOf(again), operate())).toEqual({});
    expect(gateway.calls).toEqual([]);
  });

  test("another name is another config, made first; another credential an update", async () => {
    const state = await made(tokenConfig(signingKey));
    const renamed = inputs(tokenConfig(signingKey, { name: "other" }));
    expect(await resource.diff(state, inputsOf(renamed), operate())).toEqual({ config: "replace" });
    const rotated = inputs(tokenConfig(signingKey, { "token-reviewer-jwt": newJwt }));
    expect(await resource.diff(state, inputsOf(rotated), operate())).toEqual({ config: "update" });
    const { config: _config, ...known } = state.inputs;
    expect(await resource.diff(state, inputsOf({ ...known, config: undefined }, "config"), operate())).toEqual({
      config: "update",
    });
    const forecast = await resource.previewUpdate(
      state,
      inputsOf({ ...known, config: undefined }, "config"),
      operate(),
    );
    expect([forecast.outputs.name, gateway.calls]).toEqual(["k8s-conf", []]);
  });
});

test.each([
  ["an http URL", { gatewayApi: "http://gateway:8000" }, "gatewayApi"],
  ["credentials in a URL", { gatewayApi: "https://me:pw@gateway" }, "gatewayApi"],
  ["a CA that is none", { caPem: "no certificate" }, "caPem"],
  ["a config without a name", { config: { "access-id": "p-1" } }, "config"],
  ["a config with a session", { config: { ...tokenConfig(signingKey), token: "t-1" } }, "config"],
  ["an account without a namespace", { proofAccount: "shop" }, "proofAccount"],
])("%s is refused before anything is asked", async (_what, wrong, property) => {
  const known = { ...inputs(tokenConfig(signingKey)), ...wrong } as AuthConfigInputs;
  const failures = (await resource.check?.(inputsOf(known))) ?? [];
  expect(failures.map((failure) => failure.property)).toContain(property);
});
