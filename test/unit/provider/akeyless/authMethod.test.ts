import { describe, expect, test } from "vitest";
import { type AuthMethodInputs, akeylessAuthMethod } from "../../../../provider/akeyless/authMethod.ts";
import { contextFor, failureOf, inputsOf, keyPair, useGateway } from "../../../support/akeyless.ts";

const pair = keyPair();
const other = keyPair();
const gateway = await useGateway();

function operate() {
  return contextFor(gateway.env).context;
}

describe("an auth method", () => {
  const resource = akeylessAuthMethod;
  const named = (more: Partial<AuthMethodInputs> = {}): AuthMethodInputs => ({
    apiUrl: gateway.publicApi,
    caPem: gateway.caPem,
    name: "/k8s/shop",
    publicKey: pair.publicKey,
    boundNamespaces: ["shop"],
    ...more,
  });
  const made = async (given: AuthMethodInputs) => {
    const { id, outputs } = await resource.create(given, operate());
    gateway.calls.length = 0;
    return { id, inputs: given, outputs };
  };

  test("is created with everything that was asked for", async () => {
    const given = named({
      boundPodNames: ["shop-1"],
      boundServiceAccountNames: ["shop"],
      audience: "akeyless",
      forceSubClaims: true,
      boundIps: ["10.0.0.0/8"],
      gatewayBoundIps: ["192.0.2.1/32"],
      accessExpires: 1_900_000_000,
      description: "for the shop",
      deleteProtection: false,
    });
    const { id, outputs } = await resource.create(given, operate());
    expect(id).toMatch(/^p-/);
    expect(outputs).toMatchObject({ name: "/k8s/shop", accessId: id, privateKey: "", drift: [] });
    const call = gateway.calls.find(({ command }) => command === "auth-method-create-k8s");
    expect(call?.body).toEqual({
      name: "/k8s/shop",
      "gen-key": "false",
      "public-key": Buffer.from(pair.publicKey).toString("base64"),
      "bound-namespaces": ["shop"],
      "bound-pod-names": ["shop-1"],
      "bound-sa-names": ["shop"],
      audience: "akeyless",
      "force-sub-claims": true,
      "bound-ips": ["10.0.0.0/8"],
      "gw-bound-ips": ["192.0.2.1/32"],
      "access-expires": 1_900_000_000,
      description: "for the shop",
      delete_protection: "false",
    });
    const state = { id, inputs: given, outputs };
    expect(await resource.read(state, operate())).toEqual({ id, outputs });
  });

  test("with a generated key answers it once, and a refresh does not lose it", async () => {
    const state = await made(named({ publicKey: undefined }));
    const pem = Buffer.from(state.outputs.privateKey, "base64").toString();
    expect(pem).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/);
    const read = await resource.read(state, operate());
    expect(read?.outputs.privateKey).toBe(state.outputs.privateKey);
    const outputs = await resource.update(state, named({ publicKey: undefined, boundNamespaces: ["b"] }), operate());
    expect(outputs.privateKey).toBe(state.outputs.privateKey);
  });

  test("with a generated key keeps it through an update and a new name", async () => {
    const state = await made(named({ publicKey: undefined }));
    const key = gateway.account.methods.get("/k8s/shop")?.publicKeyPem ?? expect.fail();
    const given = named({ publicKey: undefined, boundNamespaces: ["b"], name: "/k8s/till" });
    await resource.update(state, given, operate());
    expect(gateway.account.methods.get("/k8s/till")?.publicKeyPem).toBe(key);
    const update = gateway.calls.find(({ command }) => command === "auth-method-update-k8s");
    expect(update?.body).toMatchObject({ "gen-key": "false", "public-key": Buffer.from(key).toString("base64") });
  });

  test("is not updated when its name is another method's by now", async () => {
    const state = await made(named());
    gateway.account.methods.clear();
    await made(named({ publicKey: other.publicKey }));
    const { code, message } = await failureOf(resource.update(state, named({ boundNamespaces: ["b"] }), operate()));
    expect(code).toBe("AKEYLESS_NAME_TAKEN");
    expect(message).toContain(state.id);
    expect(gateway.account.methods.get("/k8s/shop")?.boundNamespaces).toEqual(["shop"]);
  });

  test("of a killed run is taken over if it has our key", async () => {
    const first = await made(named());
    const again = await resource.create(named({ boundNamespaces: ["shop", "till"] }), operate());
    expect(again.id).toBe(first.id);
    expect(gateway.account.methods.get("/k8s/shop")?.boundNamespaces).toEqual(["shop", "till"]);
  });

  test("of somebody else is left alone", async () => {
    await made(named({ publicKey: other.publicKey }));
    const { code, message } = await failureOf(resource.create(named(), operate()));
    expect(code).toBe("AKEYLESS_NAME_TAKEN");
    expect(message).toMatch(/another key/);
    const generated = await failureOf(resource.create(named({ publicKey: undefined }), operate()));
    expect(generated.code).toBe("AKEYLESS_KEY_LOST");
    expect(generated.message).toMatch(/shown once/);
  });

  test("that is renamed keeps its access id, also when the answer is lost", async () => {
    const state = await made(named());
    gateway.fault = ({ command }) => (command === "auth-method-update-k8s" ? "lost" : undefined);
    const lost = resource.update(state, named({ name: "/k8s/till" }), contextFor(gateway.env).context);
    expect((await failureOf(lost)).code).toMatch(/AKEYLESS_(NOT_FOUND|RESET)/);
    gateway.fault = () => undefined;
    const outputs = await resource.update(state, named({ name: "/k8s/till" }), operate());
    expect(outputs).toMatchObject({ name: "/k8s/till", accessId: state.id });
    expect(gateway.account.methods.get("/k8s/till")?.accessId).toBe(state.id);
  });

  test("loses a bound that is no longer asked for", async () => {
    const state = await made(named({ boundServiceAccountNames: ["shop"], audience: "akeyless" }));
    await resource.update(state, named(), operate());
    expect(gateway.account.methods.get("/k8s/shop")).toMatchObject({ boundServiceAccountNames: [], audience: "" });
  });

  test("another key is another method; whitespace is none", async () => {
    const state = await made(named());
    const diff = (given: AuthMethodInputs) => resource.diff(state, inputsOf(given), operate());
    expect(await diff(named({ publicKey: other.publicKey }))).toEqual({ publicKey: "update" });
    expect(await diff(named({ publicKey: undefined }))).toEqual({ publicKey: "replace" });
    expect(await diff(named({ publicKey: pair.publicKey.replaceAll("\n", "\r\n") }))).toEqual({});
    expect(await diff(named({ boundNamespaces: ["b"] }))).toEqual({ boundNamespaces: "update" });
    expect(gateway.calls).toEqual([]);
  });

  test.each([
    ["boundNamespaces", { boundNamespaces: ["shop", "kube-system"] }],
    ["boundPodNames", { boundPodNames: ["any"] }],
    ["boundServiceAccountNames", { boundServiceAccountNames: ["any"] }],
    ["audience", { audience: "other" }],
    ["boundIps", { boundIps: ["0.0.0.0/0"] }],
    ["publicKey", { publicKeyPem: other.publicKey }],
    ["expirationEventIn", { expirationEventIn: ["1"] }],
    ["expirationEventIn", { expirationEventIn: [] }],
    ["allowedClientTypes", { allowedClientTypes: ["ui"] }],
    ["productTypes", { productTypes: ["sra"] }],
    ["auditLogsClaims", { auditLogsClaims: [] }],
    ["description", { description: "theirs" }],
    ["jwtTtl", { jwtTtl: 600 }],
  ])("a change of %s by somebody else shows on refresh and is healed", async (field, change) => {
    const state = await made(
      named({
        expirationEventIn: ["30", "7"],
        accessExpires: 1_900_000_000,
        allowedClientTypes: ["sdk"],
        productTypes: ["sm"],
        auditLogsClaims: ["namespace"],
        description: "ours",
        jwtTtl: 30,
      }),
    );
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual([]);
    Object.assign(gateway.account.methods.get("/k8s/shop") ?? expect.fail(), change);
    const read = await resource.read(state, operate());
    expect(read?.outputs.drift).toEqual([field]);
    const drifted = { ...state, outputs: { ...state.outputs, drift: [field] } };
    expect(await resource.diff(drifted, inputsOf(state.inputs), operate())).toEqual({ drift: "update" });
    const outputs = await resource.update(drifted, state.inputs, operate());
    expect((await resource.read({ ...state, outputs }, operate()))?.outputs.drift).toEqual([]);
  });

  test("that is gone, or another one by now, is no longer ours", async () => {
    const state = await made(named());
    gateway.account.methods.clear();
    expect(await resource.read(state, operate())).toBeUndefined();
    await resource.delete?.(state, operate());
    await made(named());
    expect(await resource.read(state, operate())).toBeUndefined();
    await resource.delete?.(state, operate());
    expect(gateway.account.methods.size).toBe(1);
  });

  test("a public key that is none is refused before anything is asked", async () => {
    const failures = (await resource.check?.(inputsOf(named({ publicKey: "abc" })))) ?? [];
    expect(failures).toEqual([{ property: "publicKey", reason: expect.stringContaining("RSA public key") }]);
  });
});
