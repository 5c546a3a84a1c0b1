/** What can go wrong between the plugin and the API server, made by a proxy in front of the real one. */
import { createPublicKey } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { KubeClient } from "../../kube/index.ts";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { FaultProxy, type Json } from "../support/faultProxy.ts";
import { CN, forgeCertificate, O } from "../unit/provider/forgery.ts";
import { type FakeEngine, Plugin, type Properties, secretOf, startEngine } from "../unit/provider/plugin.ts";
import {
  bindUser,
  certificateInputs,
  certificateType,
  makeRequest,
  type Request,
  removeRequests,
  requests,
} from "./certificateFixture.ts";
import { adminClient, adminToken, kubeconfigFor } from "./providerFixture.ts";

const collection = /\/certificatesigningrequests$/;
const object = /\/certificatesigningrequests\/[^/]+$/;
const approval = /\/certificatesigningrequests\/[^/]+\/approval$/;
const any = /certificatesigningrequests/;
const selfReview = /selfsubjectreviews$/;

let sandbox: Sandbox;
let admin: KubeClient;
let engine: FakeEngine;
let plugin: Plugin;
let proxy: FaultProxy;
let token: string;
const keys = new Set<string>();

beforeAll(async () => {
  sandbox = await startSandbox({ name: "certificate-faults", ephemeral: true });
  admin = await adminClient(sandbox);
  token = await adminToken(admin);
  proxy = await FaultProxy.start(sandbox);
  engine = await startEngine();
  plugin = await Plugin.start(engine);
});
beforeEach(() => {
  engine.lines.length = 0;
  proxy.clear();
});
afterEach(() => removeRequests(admin));
afterAll(async () => {
  const seen = JSON.stringify([plugin?.traffic, plugin?.output, engine?.lines]);
  await plugin?.[Symbol.asyncDispose]();
  engine?.stop();
  await proxy?.[Symbol.asyncDispose]();
  admin?.close();
  await sandbox?.stop();
  expect(keys.size).toBeGreaterThan(10);
  for (const secret of [token, ...keys]) expect(seen).not.toContain(secret);
});

async function bound(): Promise<Request> {
  const request = await makeRequest();
  keys.add(request.keyPem.split("\n")[1] ?? "");
  await bindUser(admin, request.commonName);
  return request;
}

/** The deployer goes through the proxy; the certificate is proved at the server itself. */
function inputsOf(request: Request, more: object = {}): Properties {
  return certificateInputs(sandbox, kubeconfigFor(proxy.url, proxy.caPem, { token }), request, more);
}

async function make(more: object = {}, request?: Request): Promise<Properties> {
  const inputs = inputsOf(request ?? (await bound()), more);
  return (await plugin.create(certificateType, inputs)).outputs;
}

function warnings(): string {
  return engine.lines
    .filter((line) => line.severity === "warning")
    .map((line) => line.message)
    .join("\n");
}

/** Replaces the certificate in the server's answer. */
function signedAs(certificate: (real: string) => string) {
  return (body: Json): Json => {
    const status = (body.status ?? {}) as Json;
    if (!status.certificate) return body;
    const real = Buffer.from(String(status.certificate), "base64").toString();
    return { ...body, status: { ...status, certificate: Buffer.from(certificate(real)).toString("base64") } };
  };
}

describe("a way to the server with faults is gone to its end, with one request", () => {
  const conflict = {
    status: 409,
    body: { kind: "Status", reason: "Conflict", message: "the object has been modified" },
  };
  test.each<[string, Parameters<FaultProxy["add"]>]>([
    [
      "429 with Retry-After on the request",
      [{ method: "POST", path: collection, times: 1, answer: { status: 429, headers: { "Retry-After": "1" } } }],
    ],
    [
      "503 on every first call",
      [
        { method: "POST", path: collection, times: 1, answer: { status: 503 } },
        { method: "PUT", path: approval, times: 1, answer: { status: 503 } },
        { method: "GET", path: object, times: 1, answer: { status: 503 } },
        { method: "DELETE", path: object, times: 1, answer: { status: 503 } },
      ],
    ],
    ["a reset before the request arrives", [{ method: "POST", path: collection, times: 1, cut: "before" }]],
    ["a reset after the request was taken", [{ method: "POST", path: collection, times: 1, cut: "after" }]],
    ["a reset after the approval was taken", [{ method: "PUT", path: approval, times: 1, cut: "after" }]],
    ["a reset after the deletion was done", [{ method: "DELETE", path: object, times: 1, cut: "after" }]],
    ["500 after the approval", [{ method: "PUT", path: approval, times: 1, answer: { status: 500 } }]],
    ["conflicts on the approval", [{ method: "PUT", path: approval, times: 3, answer: conflict }]],
    [
      "410 Gone and resets while it waits",
      [
        { method: "GET", path: object, times: 1, answer: { status: 410 } },
        { method: "GET", path: object, skip: 1, times: 1, cut: "before" },
      ],
    ],
  ])("%s", async (_what, faults) => {
    proxy.add(...faults);
    expect((await make()).proved).toBe(true);
    expect(proxy.outcomes(collection).filter((outcome) => outcome === "POST 201")).toHaveLength(1);
    expect(proxy.outcomes(approval).filter((outcome) => outcome === "PUT 200")).toHaveLength(1);
    expect(await requests(admin)).toEqual([]);
    expect(warnings()).toBe("");
  });

  test("a change by somebody else just before the approval, which is a real conflict", async () => {
    const before = async () => {
      const [{ metadata } = {}] = await requests(admin);
      await admin.request("PATCH", `/apis/certificates.k8s.io/v1/certificatesigningrequests/${metadata?.name}`, {
        body: { metadata: { annotations: { touched: "yes" } } },
        contentType: "application/merge-patch+json",
      });
    };
    proxy.add({ method: "PUT", path: approval, times: 1, before });
    expect((await make()).proved).toBe(true);
    expect(proxy.outcomes(approval)).toEqual(["PUT 409", "PUT 200"]);
  });

  test("a request that is deleted just before its approval, and made again", async () => {
    proxy.add({ method: "PUT", path: approval, times: 1, before: () => removeRequests(admin) });
    expect((await make()).proved).toBe(true);
    expect(proxy.outcomes(collection).filter((outcome) => outcome === "POST 201")).toHaveLength(2);
    expect(warnings()).toMatch(/was deleted while it was awaited/);
    expect(await requests(admin)).toEqual([]);
  });

  test("a request that is deleted again and again is given up", async () => {
    proxy.add({ method: "PUT", path: approval, before: () => removeRequests(admin) });
    await expect(make()).rejects.toThrow(/CERTIFICATE_REQUEST_GONE.*3 times.*audit log/);
  });

  test("an answer that never comes is waited for no longer than the deadline says", async () => {
    proxy.add({ method: "GET", path: object, hang: "before" });
    const started = performance.now();
    await expect(make({ timeoutSeconds: 2 })).rejects.toThrow(/KUBE_TIMEOUT.*too slow/);
    expect(performance.now() - started).toBeLessThan(8_000);
    expect(await requests(admin)).toEqual([]);
  });

  test("one answer that never comes is asked for again", async () => {
    proxy.add({ method: "GET", path: object, times: 1, hang: "before" });
    expect((await make()).proved).toBe(true);
  });

  test("a conflict that does not end is an error of its own", async () => {
    proxy.add({ method: "PUT", path: approval, answer: conflict });
    await expect(make({ timeoutSeconds: 1 })).rejects.toThrow(
      /CERTIFICATE_APPROVAL_CONFLICT.*object has been modified/,
    );
    expect(await requests(admin)).toEqual([]);
  });
});

describe("an answer that cannot be one is an error, and nothing of it is shown", () => {
  test("HTML from something on the way", async () => {
    const page = { status: 200, text: "<html>token=hunter2</html>", headers: { "Content-Type": "text/html" } };
    proxy.add({ method: "POST", path: collection, answer: page });
    const outcome = String(await make().catch((error: unknown) => error));
    expect(outcome).toMatch(/KUBE_NOT_JSON.*text\/html/);
    expect(outcome).not.toContain("hunter2");
  });

  test("JSON that is cut off; the request does not stay", async () => {
    proxy.add({ method: "GET", path: object, text: (text) => text.slice(0, 100) });
    await expect(make()).rejects.toThrow(/KUBE_NOT_JSON.*application\/json/);
    expect(await requests(admin)).toEqual([]);
  });

  test("a refused login is not tried again", async () => {
    proxy.add({ path: any, answer: { status: 401 } });
    await expect(make()).rejects.toThrow(/KUBE_UNAUTHORIZED.*user "tester"/);
    expect(proxy.outcomes(any)).toEqual(["POST 401"]);
  });
});

describe("a server's copy that is not what was posted is never approved", () => {
  const change = (spec: Json) => (body: Json) => ({ ...body, spec: { ...(body.spec as Json), ...spec } });
  test.each<[string, Json, RegExp]>([
    ["other bytes", { request: "eA==" }, /bytes are others/],
    [
      "another signer",
      { signerName: "kubernetes.io/kubelet-serving" },
      /signerName is "kubernetes.io\/kubelet-serving"/,
    ],
    ["more usages", { usages: ["digital signature", "client auth", "server auth"] }, /usages are .*server auth/],
    ["another lifetime", { expirationSeconds: 86400 }, /expirationSeconds is 86400, expected 600/],
    ["no lifetime", { expirationSeconds: undefined }, /expirationSeconds is missing/],
    ["another user", { username: "mallory" }, /username is "mallory"/],
    ["another user of the same name", { uid: "other" }, /uid is "other"/],
  ])("%s", async (_what, spec, expected) => {
    proxy.add({ method: "POST", path: collection, change: change(spec) });
    await expect(make()).rejects.toThrow(expected);
    expect(proxy.outcomes(approval)).toEqual([]);
    expect(await requests(admin)).toEqual([]);
  });

  test("another object under the same name, while it waits", async () => {
    const other = (body: Json) => ({ ...body, metadata: { ...(body.metadata as Json), uid: "another" } });
    proxy.add({ method: "GET", path: object, change: other });
    await expect(make()).rejects.toThrow(/CERTIFICATE_REQUEST_OTHER.*UID is another/);
    expect(await requests(admin)).toEqual([]);
  });

  test("another object under the same name, just before the approval", async () => {
    const other = (body: Json) => ({ ...body, metadata: { ...(body.metadata as Json), uid: "another" } });
    proxy.add(
      { method: "PUT", path: approval, times: 1, answer: { status: 409 } },
      { method: "GET", path: object, change: other },
    );
    await expect(make()).rejects.toThrow(/CERTIFICATE_REQUEST_OTHER.*UID is another/);
    expect(proxy.outcomes(approval)).toEqual(["PUT 409"]);
  });
});

describe("a certificate that is not what was asked for is thrown away", () => {
  const of = (request: Request) => ({
    publicKey: createPublicKey(request.keyPem),
    keyUsage: 0x80,
    subject: [[CN, request.commonName]] as [string, string][],
  });
  test.each<[string, (request: Request) => Parameters<typeof forgeCertificate>[0], RegExp]>([
    ["for another key", (request) => ({ ...of(request), publicKey: undefined }), /another key/],
    ["for another name", (request) => ({ ...of(request), subject: [[CN, "admin"]] }), /subject is "CN=admin"/],
    [
      "with a group more",
      (request) => ({
        ...of(request),
        subject: [
          [O, "system:masters"],
          [CN, request.commonName],
        ],
      }),
      /system:masters/,
    ],
    ["that has expired", (request) => ({ ...of(request), notAfter: new Date(Date.now() - 1_000) }), /was valid until/],
  ])("%s", async (_what, options, expected) => {
    const request = await bound();
    proxy.add({ method: "GET", path: object, change: signedAs(() => forgeCertificate(options(request))) });
    const outcome = await make({}, request).catch((error: unknown) => String(error));
    expect(outcome).toMatch(/CERTIFICATE_REJECTED/);
    expect(outcome).toMatch(expected);
    expect(await requests(admin)).toEqual([]);
  });

  test("from a CA that the API server does not know", async () => {
    const request = await bound();
    proxy.add({ method: "GET", path: object, change: signedAs(() => forgeCertificate(of(request))) });
    await expect(make({}, request)).rejects.toThrow(/CERTIFICATE_REFUSED.*--client-ca-file/);
    expect(await requests(admin)).toEqual([]);
  });
});

describe("what signers and servers may do", () => {
  test("a chain with text around: the first block is the certificate, and only blocks are kept", async () => {
    const text = (real: string) =>
      `Issued to you.\r\n${real.replaceAll("\n", "\r\n")}\nand its CA\n${sandbox.clientCaPem}bye`;
    proxy.add({ method: "GET", path: object, change: signedAs(text) });
    const { certificatePem, proved } = await make();
    expect(proved).toBe(true);
    expect(String(certificatePem)).toMatch(/^-----BEGIN CERTIFICATE-----\n/);
    expect(String(certificatePem).endsWith(sandbox.clientCaPem.replaceAll("\r", ""))).toBe(true);
    expect(String(certificatePem).match(/BEGIN/g)).toHaveLength(2);
    expect(String(certificatePem)).not.toMatch(/Issued|its CA|bye|\r/);
  });

  test.each([-600, 600])("a clock that is off by %d s", async (seconds) => {
    const date = new Date(Date.now() + seconds * 1000 + (seconds > 0 ? -5_000 : 5_000)).toUTCString();
    proxy.add({ path: any, headers: { date } });
    const lifetime = seconds > 0 ? 1_200 : 600;
    expect((await make({ expirationSeconds: lifetime })).proved).toBe(true);
  });

  test("a server older than 1.28 that does not say who asks: its own copy of the request does", async () => {
    proxy.add({ path: selfReview, answer: { status: 404 } });
    expect((await make()).proved).toBe(true);
    expect(proxy.outcomes(collection)).toEqual(["POST 201", "POST 201"]);
    expect(proxy.outcomes(object).at(-1)).toBe("DELETE 200");
    expect(await requests(admin)).toEqual([]);
  });

  test("a server older than 1.22 that drops the lifetime", async () => {
    const drop = (body: Json) => ({ ...body, spec: { ...(body.spec as Json), expirationSeconds: undefined } });
    proxy.add({ path: any, change: drop });
    proxy.add({ path: /^\/version$/, change: (body) => ({ ...body, gitVersion: "v1.21.14" }) });
    expect((await make()).proved).toBe(true);
  });

  test("a request that cannot be deleted in the end is no reason to lose the certificate", async () => {
    proxy.add({ method: "DELETE", path: object, answer: { status: 403 } });
    expect((await make()).proved).toBe(true);
    expect(warnings()).toMatch(/could not be deleted; Kubernetes does it an hour after/);
  });

  test("EKS is recognised before anything is posted, and the token flow proposed", async () => {
    proxy.add({ path: /^\/version$/, change: (body) => ({ ...body, gitVersion: "v1.34.1-eks-113cf36" }) });
    await expect(make()).rejects.toThrow(/CERTIFICATE_NO_SIGNER.*EKS.*token flow/);
    expect(proxy.outcomes(any)).toEqual([]);
  });
});

describe("the gateway's way to the server", () => {
  /** The certificate goes through the proxy too. */
  async function throughProxy(more: object = {}, passOn = true) {
    const request = await bound();
    proxy.passOn(passOn ? request.keyPem : "");
    return { request, inputs: inputsOf(request, { host: proxy.url, caPem: proxy.caPem, ...more }) };
  }

  test.each(["tokenReview", "self"])(
    "to a server that cannot say who calls is proved all the same (%s)",
    async (proof) => {
      const { inputs } = await throughProxy({ proof });
      proxy.add({ path: selfReview, answer: { status: 404 } });
      expect((await plugin.create(certificateType, inputs)).outputs.proved).toBe(true);
    },
  );

  test("that drops client certificates is said to do so", async () => {
    const { inputs } = await throughProxy({}, false);
    await expect(plugin.create(certificateType, inputs)).rejects.toThrow(
      /CERTIFICATE_REFUSED.*for "system:anonymous".*drops the client certificate/,
    );
    const other = await throughProxy({ proof: "self" }, false);
    await expect(plugin.create(certificateType, other.inputs)).rejects.toThrow(/CERTIFICATE_REFUSED.*system:anonymous/);
  });

  test("that drops them later is a warning in diff, and no death", async () => {
    const { inputs } = await throughProxy();
    const { id, outputs } = await plugin.create(certificateType, inputs);
    proxy.passOn("");
    expect(await plugin.diff(certificateType, id, outputs, inputs, inputs)).toMatchObject({ changes: false });
    expect(warnings()).toMatch(/system:anonymous|was not tried/);
  });

  test("that hangs keeps a preview no longer than 3 s, and is no drift", async () => {
    const { inputs } = await throughProxy();
    const { id, outputs } = await plugin.create(certificateType, inputs);
    proxy.add({ path: selfReview, hang: "before" });
    const started = performance.now();
    expect(await plugin.diff(certificateType, id, outputs, inputs, inputs)).toMatchObject({ changes: false });
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(warnings()).toMatch(/cannot be reached/);
  });
});

test("a private key of another request is not in the error that refuses it", async () => {
  const [request, other] = [await bound(), await makeRequest()];
  keys.add(other.keyPem.split("\n")[1] ?? "");
  const { failures } = await plugin.check(certificateType, {
    ...inputsOf(request),
    privateKeyPem: secretOf(other.keyPem),
  });
  expect(failures).toMatchObject([{ property: "privateKeyPem", reason: expect.stringMatching(/PRIVATE_KEY_OTHER/) }]);
  expect(JSON.stringify(failures)).not.toContain(other.keyPem.split("\n")[1]);
});
