/** A plugin that is killed at any step of a certificate, and the run after it. */
import { createPublicKey, X509Certificate } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { type Sandbox, startSandbox } from "../../../sandbox/index.ts";
import { CN, forgeCertificate } from "../../support/crypto/forgery.ts";
import { type FakeEngine, startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import type { Properties } from "../../support/plugin/properties.ts";
import { type Fault, FaultProxy, type Json } from "../../support/proxies/faultProxy.ts";
import { adminClient, adminToken, kubeconfigFor } from "../providerFixture.ts";
import {
  bindUser,
  certificateInputs,
  certificateType,
  makeRequest,
  type Request,
  removeRequests,
  requests,
  until,
} from "./fixture.ts";

const collection = /\/certificatesigningrequests$/;
const object = /\/certificatesigningrequests\/[^/]+$/;
const approval = /\/certificatesigningrequests\/[^/]+\/approval$/;

let sandbox: Sandbox;
let admin: KubeClient;
let engine: FakeEngine;
let proxy: FaultProxy;
let token: string;

beforeAll(async () => {
  sandbox = await startSandbox({ name: "certificate-crash", ephemeral: true });
  admin = await adminClient(sandbox);
  token = await adminToken(admin);
  proxy = await FaultProxy.start(sandbox);
  engine = await startEngine();
});
beforeEach(() => proxy.clear());
afterEach(() => removeRequests(admin));
afterAll(async () => {
  engine?.stop();
  await proxy?.[Symbol.asyncDispose]();
  admin?.close();
  await sandbox?.stop();
});

function inputsOf(request: Request, more: object = {}): Properties {
  return certificateInputs(sandbox, kubeconfigFor(proxy.url, proxy.caPem, { token }), request, more);
}

async function bound(): Promise<Request> {
  const request = await makeRequest();
  await bindUser(admin, request.commonName);
  return request;
}

/** Runs create until a request matches the fault, kills the plugin, and puts the way to the server in order. */
async function crashAt(fault: Fault, inputs: Properties): Promise<void> {
  const plugin = await Plugin.start(engine);
  const outcome = plugin.create(certificateType, inputs).catch((error: unknown) => String(error));
  proxy.add(fault);
  await until(() =>
    proxy.seen.some(
      ({ method, path, status }) =>
        method === fault.method && fault.path.test(path) && (fault.hang === "before" || status !== 0),
    ),
  );
  await plugin[Symbol.asyncDispose]();
  expect(await outcome).toMatch(/UNAVAILABLE|CANCELLED/);
  proxy.clear();
}

async function createWith(inputs: Properties): Promise<Properties> {
  await using plugin = await Plugin.start(engine);
  return (await plugin.create(certificateType, inputs)).outputs;
}

const posts = () => proxy.outcomes(collection).filter((outcome) => outcome === "POST 201").length;
const approvals = () => proxy.outcomes(approval).filter((outcome) => outcome === "PUT 200").length;

/** Serial number of the certificate that the one request in the cluster holds. */
async function signedSerial(): Promise<string> {
  let pem = "";
  await until(async () => {
    pem = (await requests(admin))[0]?.status?.certificate ?? "";
    return pem !== "";
  });
  return new X509Certificate(Buffer.from(pem, "base64")).serialNumber;
}

describe("after a kill -9, the next run goes on where it was", () => {
  test("when the request was posted: it is approved and collected", async () => {
    const inputs = inputsOf(await bound());
    await crashAt({ method: "POST", path: collection, hang: "after" }, inputs);
    expect(await requests(admin)).toHaveLength(1);
    expect((await createWith(inputs)).proved).toBe(true);
    expect([posts(), approvals()]).toEqual([0, 1]);
    expect(await requests(admin)).toEqual([]);
  });

  test("when the approval was on its way", async () => {
    const inputs = inputsOf(await bound());
    await crashAt({ method: "PUT", path: approval, hang: "before" }, inputs);
    expect((await createWith(inputs)).proved).toBe(true);
    expect([posts(), approvals()]).toEqual([0, 1]);
    expect(await requests(admin)).toEqual([]);
  });

  test.each<[string, Fault]>([
    ["the approval was given", { method: "PUT", path: approval, hang: "after" }],
    ["the certificate was waited for", { method: "GET", path: object, hang: "after" }],
    ["the request was to be deleted", { method: "DELETE", path: object, hang: "before" }],
  ])("when %s: the same certificate is collected", async (_when, fault) => {
    const inputs = inputsOf(await bound());
    await crashAt(fault, inputs);
    const serial = await signedSerial();
    expect(await createWith(inputs)).toMatchObject({ serial, proved: true });
    expect([posts(), approvals()]).toEqual([0, 0]);
    expect(await requests(admin)).toEqual([]);
  });

  test("when the request was deleted and nothing saved: another certificate of the same key is signed", async () => {
    const inputs = inputsOf(await bound());
    await crashAt({ method: "DELETE", path: object, hang: "after" }, inputs);
    expect(await requests(admin)).toEqual([]);
    expect((await createWith(inputs)).proved).toBe(true);
    expect([posts(), approvals()]).toEqual([1, 1]);
    expect(await requests(admin)).toEqual([]);
  });
});

describe("what an earlier run left", () => {
  const beforeDeletion: Fault = { method: "DELETE", path: object, hang: "before" };

  test("is replaced when its certificate is due for renewal already", async () => {
    const inputs = inputsOf(await bound(), { renewBefore: 599 });
    await crashAt(beforeDeletion, inputs);
    const serial = await signedSerial();
    await sleep(2_000);
    const outputs = await createWith(inputs);
    expect(outputs.serial).not.toBe(serial);
    expect(posts()).toBe(1);
    expect(await requests(admin)).toEqual([]);
  });

  test("is replaced when the API server does not accept its certificate", async () => {
    const request = await bound();
    const inputs = inputsOf(request);
    await crashAt(beforeDeletion, inputs);
    const old = forgeCertificate({
      subject: [[CN, request.commonName]],
      publicKey: createPublicKey(request.keyPem),
      keyUsage: 0x80,
    });
    const change = (body: Json) => ({
      ...body,
      status: { ...(body.status as Json), certificate: Buffer.from(old).toString("base64") },
    });
    proxy.add({ method: "GET", path: object, times: 1, change });
    expect((await createWith(inputs)).proved).toBe(true);
    expect(posts()).toBe(1);
    expect(await requests(admin)).toEqual([]);
  });

  test("and was refused by the signer is replaced, for signers are mended", async () => {
    const inputs = inputsOf(await bound());
    await crashAt({ method: "POST", path: collection, hang: "after" }, inputs);
    const [left] = await requests(admin);
    const path = `/apis/certificates.k8s.io/v1/certificatesigningrequests/${left?.metadata?.name}/status`;
    const conditions = [{ type: "Failed", status: "True", reason: "SignerBroken", message: "out of order" }];
    await admin.replace(path, { ...left, status: { conditions } });
    expect((await createWith(inputs)).proved).toBe(true);
    expect(await requests(admin)).toEqual([]);
  });

  test("is taken up with external approval too, once the setting is changed", async () => {
    const request = await bound();
    await crashAt({ method: "PUT", path: approval, hang: "before" }, inputsOf(request));
    const work = createWith(inputsOf(request, { approval: "external" }));
    const [left] = await requests(admin);
    const conditions = [{ type: "Approved", status: "True", reason: "ByATest", message: "by a test" }];
    await admin.replace(`/apis/certificates.k8s.io/v1/certificatesigningrequests/${left?.metadata?.name}/approval`, {
      ...left,
      status: { conditions },
    });
    expect((await work).proved).toBe(true);
    expect(posts()).toBe(0);
  });
});

test("two runs of the same request at the same time both end with a certificate, and leave nothing", async () => {
  const inputs = inputsOf(await bound());
  const made = await Promise.all([createWith(inputs), createWith(inputs)]);
  expect(made.map(({ proved }) => proved)).toEqual([true, true]);
  expect(await requests(admin)).toEqual([]);
});
