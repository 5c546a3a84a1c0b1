import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { PushingStack, Workloads } from "../../support/gateways/akeylessStack.ts";
import { adminOf } from "../../support/inventory.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
const item = "/k8sauth/akeyless-certificate/certificate";
let admin: KubeClient;
let workloads: Workloads;
let pushing: PushingStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  workloads = await Workloads.make(admin);
  pushing = await PushingStack.make("akeyless-certificate", kubeconfig, {
    tokenFlow: false,
    certificateFlow: true,
    rotation: { current: "one" },
    akeylessAuthMethod: { boundNamespaces: [workloads.namespace], boundServiceAccountNames: ["shop"] },
    akeylessExpiryNoticeDays: [14, 3],
  });
  await pushing.stack.up();
});

afterAll(async () => {
  await pushing?.[Symbol.asyncDispose]();
  await workloads?.[Symbol.asyncDispose]();
  admin?.close();
});

/** The certificate of the config that is at the gateway. */
function pushedCertificate(): X509Certificate {
  const data = pushing.gateway.configs.get("k8s-conf-certificate")?.k8s_client_cert_data ?? "";
  return new X509Certificate(Buffer.from(data, "base64"));
}

async function expectLogin(): Promise<void> {
  const { claims } = await pushing.logIn(await workloads.token("shop"));
  expect(claims).toMatchObject({ namespace: workloads.namespace, service_account_name: "shop" });
}

describe("an up from nothing", () => {
  test("lets a workload log in by a config with a client certificate, with nothing but outputs", async () => {
    expect(pushing.gateway.configs.get("k8s-conf-certificate")).toMatchObject({
      k8s_auth_type: "client_cert",
      k8s_token_reviewer_jwt: "",
    });
    await expectLogin();
    await expect(pushing.logIn(await workloads.token("till"))).rejects.toThrow(/service account is not allowed/);
  });

  test("registers the certificate for notices, without its key", () => {
    const registered = pushing.gateway.account.items.get(item) ?? expect.fail("it is not registered");
    expect(new X509Certificate(registered.pem).fingerprint256).toBe(pushedCertificate().fingerprint256);
    expect(registered.days).toEqual(["14", "3"]);
    const call = pushing.gateway.calls.find(({ command }) => command === "create-certificate");
    expect(call?.body).not.toHaveProperty("key-data");
  });
});

test("a rotated certificate reaches the gateway and the registered item in the same up", async () => {
  const before = pushedCertificate();
  await pushing.stack.configure({ rotation: { current: "two" } });
  await pushing.stack.up();
  const after = pushedCertificate();
  expect(before.subject).toMatch(/-one$/);
  expect(after.subject).toMatch(/-two$/);
  expect(new X509Certificate(pushing.gateway.account.items.get(item)?.pem ?? "").subject).toBe(after.subject);
  await expectLogin();
});

test("a rotation that the gateway does not take leaves the old certificate working, and the next up finishes", async () => {
  await pushing.stack.configure({ rotation: { current: "three" } });
  pushing.gateway.fault = ({ command }) => (command.startsWith("gateway-update") ? "reset" : undefined);
  await expect(pushing.stack.up()).rejects.toThrow(/AKEYLESS_RESET/);
  expect(pushedCertificate().subject).toMatch(/-two$/);
  await expectLogin();
  pushing.gateway.fault = () => undefined;
  await pushing.stack.up();
  expect(pushedCertificate().subject).toMatch(/-three$/);
  await expectLogin();
});

test("the registered item gets further properties, and a forwarder that would not deliver its notices is named", async () => {
  const { stack, gateway } = pushing;
  const properties = { description: "the reviewer's", tags: ["k8s"], deleteProtection: false };
  await stack.configure({ akeylessCertificateItem: { ...properties, eventForwarder: "/mail" } });
  await stack.up();
  expect(gateway.account.items.get(item)).toMatchObject(properties);
  expect(stack.said).toMatch(/Event Forwarder.*\/mail.*does not exist/i);

  gateway.account.forwarders.set("/mail", { enabled: true, types: ["certificate-pending-expiration"], paths: ["/*"] });
  await stack.configure({ akeylessCertificateItem: { ...properties, tags: ["k8s", "pci"], eventForwarder: "/mail" } });
  await stack.up();
  expect(gateway.account.items.get(item)?.tags).toEqual(["k8s", "pci"]);
  expect(stack.said).not.toMatch(/Event Forwarder/i);
});

test("beside a token flow each flow has its own config, and workloads get the name of the token's", async () => {
  expect((await pushing.outputs()).workloadLogin.akeyless.k8sAuthConfigName).toBe("k8s-conf-certificate");
  await pushing.stack.configure({ tokenFlow: true });
  await pushing.stack.up();
  const { configs } = pushing.gateway;
  expect([...configs.keys()].sort()).toEqual(["k8s-conf", "k8s-conf-certificate"]);
  expect(configs.get("k8s-conf")?.k8s_auth_type).toBe("bearer_token");
  expect(pushedCertificate().subject).toMatch(/-three$/);
  await expectLogin();
  const { akeyless } = (await pushing.outputs()).workloadLogin;
  expect(akeyless.k8sAuthConfigName).toBe("k8s-conf");
  const jwt = await workloads.token("shop");
  await pushing.gateway.logIn(akeyless.accessId, "k8s-conf-certificate", jwt);
});

describe("a login as proof of every push", () => {
  test("uses a token for the account that is named", async () => {
    await workloads.token("shop");
    pushing.gateway.logins.length = 0;
    await pushing.stack.configure({
      akeylessProofAccount: `${workloads.namespace}/shop`,
      serviceAccountName: "proved-reviewer",
    });
    await pushing.stack.up();
    expect(pushing.gateway.logins).toHaveLength(1);
    expect(pushing.gateway.logins[0]?.claims.service_account_name).toBe("shop");
  });

  test("names the gateway's Configuration Manager with its path, and takes back nothing if the URL is wrong", async () => {
    const { stack, gateway } = pushing;
    gateway.managerPath = "/manager";
    await stack.configure({ akeylessGatewayApi: gateway.gatewayApi, serviceAccountName: "unheard-reviewer" });
    await expect(stack.up()).rejects.toThrow(/AKEYLESS_LOGIN_UNPROVED.*Configuration Manager/s);
    const [, payload = ""] = gateway.configs.get("k8s-conf")?.k8s_token_reviewer_jwt.split(".") ?? [];
    expect(Buffer.from(payload, "base64url").toString()).toContain("unheard-reviewer");

    gateway.logins.length = 0;
    await stack.configure({ akeylessGatewayUrl: gateway.managerUrl });
    await stack.up();
    expect(gateway.logins.length).toBeGreaterThan(0);
    await expectLogin();
  });

  test("brings the config before back where it is refused", async () => {
    const before = pushing.gateway.configs.get("k8s-conf");
    await workloads.token("till");
    await pushing.stack.configure({
      akeylessProofAccount: `${workloads.namespace}/till`,
      serviceAccountName: "unproved-reviewer",
    });
    await expect(pushing.stack.up()).rejects.toThrow(
      /AKEYLESS_LOGIN_REFUSED.*service account is not allowed.*The previous config is restored/s,
    );
    expect(pushing.gateway.configs.get("k8s-conf")).toEqual(before);
    await expectLogin();
  });
});

test("neither state nor anything said holds key or certificate's config in plaintext", async () => {
  const { stack, gateway } = pushing;
  const seen = JSON.stringify([stack.history, stack.events]) + (await readFile(stack.stateFile, "utf8"));
  const { k8s_client_key_data: key = "", auth_method_prv_key_pem: signing = "" } =
    gateway.configs.get("k8s-conf-certificate") ?? {};
  const bodies = [key, signing].map((encoded) => Buffer.from(encoded, "base64").toString().split("\n")[2] ?? "");
  for (const secret of [key, signing, ...bodies, gateway.accessKey]) {
    expect(secret.length).toBeGreaterThan(20);
    expect(seen.includes(secret)).toBe(false);
  }
  expect(/BEGIN (RSA |EC )?PRIVATE KEY/.test(seen)).toBe(false);
});
