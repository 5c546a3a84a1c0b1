import { X509Certificate } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { PushingStack, Workloads } from "../../support/gateways/akeylessStack.ts";
import { adminOf } from "../../support/inventory.ts";
import { reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
const item = "/k8sauth/akeyless-renewal/certificate";
let admin: KubeClient;
let workloads: Workloads;
let pushing: PushingStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  workloads = await Workloads.make(admin);
  // The shortest lifetimes that are accepted, renewed as early as possible: seconds after the start.
  pushing = await PushingStack.make("akeyless-renewal", kubeconfig, {
    akeylessAuthMethod: { boundNamespaces: [workloads.namespace] },
    tokenMode: "tokenRequest",
    tokenExpirationSeconds: 600,
    tokenRenewBefore: 597,
    certificateFlow: true,
    certificateExpirationSeconds: 600,
    certificateRenewBefore: 598,
  });
  await pushing.stack.up();
});

afterAll(async () => {
  await pushing?.[Symbol.asyncDispose]();
  await workloads?.[Symbol.asyncDispose]();
  admin?.close();
});

/** The credential with which the gateway reviews, from either config. */
function pushed() {
  const { configs, account } = pushing.gateway;
  const decoded = (text = "") => Buffer.from(text, "base64").toString();
  const { k8s_client_cert_data, k8s_client_key_data } = configs.get("k8s-conf-certificate") ?? {};
  return {
    token: configs.get("k8s-conf")?.k8s_token_reviewer_jwt,
    serial: new X509Certificate(decoded(k8s_client_cert_data)).serialNumber,
    key: decoded(k8s_client_key_data),
    watched: new X509Certificate(account.items.get(item)?.pem ?? "").serialNumber,
  };
}

async function untilDue(): Promise<void> {
  const { credentials } = (await pushing.stack.outputs()) as {
    credentials: Record<string, { renewAfter: string }>;
  };
  const due = Object.values(credentials).map(({ renewAfter }) => Date.parse(renewAfter));
  await sleep(Math.max(0, Math.max(...due) - Date.now() + 100));
}

test("a renewed token and a renewed certificate of the same key reach the gateway in the same up, and no login fails", async () => {
  const before = pushed();
  const { host = "", caPem = "" } = (await pushing.outputs()).clusterAccess;
  await untilDue();
  const jwt = await workloads.token("shop");
  const clients = [pushing.loggingIn(jwt, "k8s-conf"), pushing.loggingIn(jwt, "k8s-conf-certificate")];
  await pushing.stack.up();
  for (const client of clients) {
    const { logins, failures } = await client.stop();
    expect(failures).toEqual([]);
    expect(logins).toBeGreaterThan(3);
  }
  const after = pushed();
  const outputs = await pushing.outputs();
  expect(after.token).not.toBe(before.token);
  expect(after.token).toBe(outputs.clusterAccess.token);
  expect(after.serial).not.toBe(before.serial);
  expect(after).toMatchObject({ key: before.key, watched: after.serial });
  expect(before.watched).toBe(before.serial);
  const old = { host, caPem, token: before.token ?? "" };
  expect(await reviewSelf(old)).toMatchObject({ authenticated: true });
});

test("a renewal that the gateway does not take leaves both old ones working, and the next up finishes", async () => {
  const before = pushed();
  await untilDue();
  pushing.gateway.fault = ({ command }) =>
    /^(gateway-update|update-certificate)/.test(command) ? { status: 403, body: '{"error":"not now"}' } : undefined;
  await expect(pushing.stack.up()).rejects.toThrow(/AKEYLESS_FORBIDDEN.*not now/);
  pushing.gateway.fault = () => undefined;
  expect(pushed()).toEqual(before);
  const jwt = await workloads.token("shop");
  const { accessId } = (await pushing.outputs()).workloadLogin.akeyless;
  for (const name of ["k8s-conf", "k8s-conf-certificate"]) await pushing.gateway.logIn(accessId, name, jwt);
  await pushing.stack.up();
  const after = pushed();
  expect(after.token).not.toBe(before.token);
  expect(after.serial).not.toBe(before.serial);
  expect(after.watched).toBe(after.serial);
});
