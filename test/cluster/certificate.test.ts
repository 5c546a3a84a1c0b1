import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { KubeClient } from "../../kube/index.ts";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { CN, forgeCertificate } from "../unit/provider/forgery.ts";
import {
  type FakeEngine,
  Plugin,
  type Properties,
  revealed,
  startEngine,
  unknownMark,
} from "../unit/provider/plugin.ts";
import {
  bindUser,
  certificateInputs,
  certificateType,
  decide,
  makeDeployer,
  makeRequest,
  nameOf,
  posted,
  type Request,
  removeRequests,
  requests,
  signer,
  until,
} from "./certificateFixture.ts";
import { adminClient, adminKeyData, bindingPath, kubeconfigFor } from "./providerFixture.ts";

let sandbox: Sandbox;
let admin: KubeClient;
let engine: FakeEngine;
let plugin: Plugin;
const keys = new Set<string>();

beforeAll(async () => {
  sandbox = await startSandbox({ name: "certificate", ephemeral: true });
  admin = await adminClient(sandbox);
  engine = await startEngine();
  plugin = await Plugin.start(engine);
});
beforeEach(() => {
  engine.lines.length = 0;
});
afterEach(() => removeRequests(admin));
afterAll(async () => {
  const seen = JSON.stringify([plugin?.traffic, plugin?.output, engine?.lines]);
  await plugin?.[Symbol.asyncDispose]();
  engine?.stop();
  const secrets = sandbox ? [adminKeyData(sandbox), ...keys] : [];
  admin?.close();
  await sandbox?.stop();
  expect(secrets.length).toBeGreaterThan(10);
  for (const secret of secrets) expect(seen).not.toContain(secret);
  expect(seen).not.toContain("PRIVATE KEY");
});

async function bound(options: Parameters<typeof makeRequest>[1] = {}): Promise<Request> {
  const request = await makeRequest(undefined, options);
  keys.add(request.keyPem.split("\n")[1] ?? "");
  await bindUser(admin, request.commonName);
  return request;
}

function inputsOf(request: Request, more: object = {}): Properties {
  return certificateInputs(sandbox, sandbox.kubeconfig, request, more);
}

async function made(request: Request, more: object = {}) {
  const { id, outputs } = await plugin.create(certificateType, inputsOf(request, more));
  return { id, outputs, inputs: inputsOf(request, more) };
}

function said(severity: "info" | "warning"): string {
  return engine.lines
    .filter((line) => line.severity === severity && !line.ephemeral)
    .map((line) => line.message)
    .join("\n");
}

async function userOf(certPem: string, keyPem: string): Promise<string> {
  using client = KubeClient.direct({ server: sandbox.server, caPem: sandbox.caPem, certPem, keyPem });
  const review = await client.create<{ status: { userInfo: { username: string } } }>(
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
  );
  return review.status.userInfo.username;
}

describe("a certificate", () => {
  test.each([
    ["RSA 2048", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["ECDSA P-256", () => generateKeyPairSync("ec", { namedCurve: "P-256" })],
    ["ECDSA P-384", () => generateKeyPairSync("ec", { namedCurve: "P-384" })],
    ["Ed25519", () => generateKeyPairSync("ed25519")],
  ])("for a key of %s is signed, compared, proved and described; nothing stays", async (_kind, pair) => {
    const request = await bound({ key: pair().privateKey, organization: "example" });
    const { id, outputs } = await made(request);
    expect(outputs).toMatchObject({
      commonName: request.commonName,
      organizations: ["example"],
      subject: `O=example,CN=${request.commonName}`,
      proved: true,
      proofNote: "",
      serial: expect.stringMatching(/^[0-9A-F]+$/),
      fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
      csrSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      certificatePem: expect.stringMatching(/^-----BEGIN CERTIFICATE-----\n[\s\S]*-----END CERTIFICATE-----\n$/),
    });
    expect(id).toBe(outputs.fingerprint);
    const [issuedAt, notBefore, notAfter, renewAfter] = (
      ["issuedAt", "notBefore", "notAfter", "renewAfter"] as const
    ).map((name) => Date.parse(String(outputs[name])) / 1000) as [number, number, number, number];
    expect(issuedAt - notBefore).toBeGreaterThanOrEqual(300);
    expect(notAfter - issuedAt).toBeLessThanOrEqual(601);
    expect(renewAfter).toBeGreaterThanOrEqual(issuedAt + 399);
    expect(renewAfter).toBeLessThanOrEqual(issuedAt + 401);
    expect(await userOf(String(outputs.certificatePem), request.keyPem)).toBe(request.commonName);
    expect(await requests(admin)).toEqual([]);
    expect(said("warning") + said("info")).toBe("");
  });

  test("without its key is not proved, and says so", async () => {
    const request = await makeRequest();
    const { outputs } = await made(request, { privateKeyPem: undefined });
    expect(outputs).toMatchObject({ proved: false, proofNote: expect.stringMatching(/private key/) });
    expect(await userOf(String(outputs.certificatePem), request.keyPem)).toBe(request.commonName);
  });

  test("is proved at the deployer's own server where the host is none to be tried", async () => {
    const { outputs } = await made(await bound(), { host: "https://127.0.0.1:1", proveHost: false });
    expect(outputs.proved).toBe(true);
  });

  test("of a user with another role is proved by a review of itself", async () => {
    const request = await makeRequest();
    expect((await made(request, { proof: "self" })).outputs.proved).toBe(true);
  });

  test("whose binding comes late is proved when it is there", async () => {
    const request = await makeRequest();
    const work = made(request);
    await until(async () => (await requests(admin)).some((left) => left.status?.certificate));
    await bindUser(admin, request.commonName);
    expect((await work).outputs.proved).toBe(true);
  });

  test("whose user may not review is refused with the right that is missing, and leaves nothing", async () => {
    await expect(made(await makeRequest())).rejects.toThrow(
      /CERTIFICATE_MAY_NOT_REVIEW.*create tokenreviews\.authentication\.k8s\.io/,
    );
    expect(await requests(admin)).toEqual([]);
  });

  test("that the signer makes shorter than asked is taken, and renewed by its real dates", async () => {
    const year = 365 * 24 * 3600;
    const { outputs } = await made(await bound(), { expirationSeconds: 2 * year, renewBefore: 2 * year - 60 });
    const left = (name: string) => (Date.parse(String(outputs[name])) - Date.now()) / 1000;
    expect(left("notAfter")).toBeLessThan(year);
    expect(left("renewAfter")).toBeGreaterThan(year / 2);
    expect(said("warning")).toMatch(/730 days[\s\S]*less than asked[\s\S]*two thirds/);
  });

  test("is not made where the signer refuses the usages: its own reason, and nothing stays", async () => {
    const usages = ["digital signature", "client auth", "server auth"];
    await expect(made(await bound(), { usages })).rejects.toThrow(/CERTIFICATE_FAILED.*SignerValidationFailure/);
    expect(await requests(admin)).toEqual([]);
  });

  test("of a deployer without enough rights names them, and leaves nothing", async () => {
    const manage = {
      apiGroups: ["certificates.k8s.io"],
      resources: ["certificatesigningrequests"],
      verbs: ["create", "get", "delete"],
    };
    const update = {
      apiGroups: ["certificates.k8s.io"],
      resources: ["certificatesigningrequests/approval"],
      verbs: ["update"],
    };
    for (const rules of [[manage], [manage, update]]) {
      const deployer = await makeDeployer(admin, sandbox, rules);
      const kubeconfig = kubeconfigFor(sandbox.server, sandbox.caPem, deployer);
      const inputs = certificateInputs(sandbox, kubeconfig, await bound());
      await expect(plugin.create(certificateType, inputs)).rejects.toThrow(
        /CERTIFICATE_MAY_NOT_APPROVE.*update on certificatesigningrequests\/approval.*approve on signers.*kube-apiserver-client.*external/,
      );
      expect(await requests(admin)).toEqual([]);
    }
    const approve = {
      apiGroups: ["certificates.k8s.io"],
      resources: ["signers"],
      resourceNames: [signer],
      verbs: ["approve"],
    };
    const deployer = await makeDeployer(admin, sandbox, [manage, update, approve]);
    const kubeconfig = kubeconfigFor(sandbox.server, sandbox.caPem, deployer);
    const { outputs } = await plugin.create(certificateType, certificateInputs(sandbox, kubeconfig, await bound()));
    expect(outputs.proved).toBe(true);
  });
});

describe("a request whose name is taken", () => {
  test("by somebody else's for other content is refused, and neither approved nor touched", async () => {
    const [request, other] = await Promise.all([bound(), makeRequest()]);
    const name = await nameOf(inputsOf(request), "kubernetes-admin");
    await admin.create("/apis/certificates.k8s.io/v1/certificatesigningrequests", {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { name },
      spec: {
        request: Buffer.from(other.csrPem).toString("base64"),
        signerName: signer,
        usages: ["digital signature", "client auth"],
        expirationSeconds: 600,
      },
    });
    await expect(made(request)).rejects.toThrow(/CERTIFICATE_NAME_TAKEN.*bytes are others.*kubectl delete csr/);
    const [left] = await requests(admin);
    expect(left?.metadata?.name).toBe(name);
    expect(left?.status).toEqual({});
  });

  test("by the same content of another user is refused as well", async () => {
    const request = await bound();
    const rule = { apiGroups: ["certificates.k8s.io"], resources: ["certificatesigningrequests"], verbs: ["create"] };
    const squatter = await makeDeployer(admin, sandbox, [rule]);
    using client = KubeClient.direct({ server: sandbox.server, caPem: sandbox.caPem, ...squatter });
    await client.create("/apis/certificates.k8s.io/v1/certificatesigningrequests", {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { name: await nameOf(inputsOf(request), "kubernetes-admin") },
      spec: {
        request: Buffer.from(request.csrPem).toString("base64"),
        signerName: signer,
        usages: ["digital signature", "client auth"],
        expirationSeconds: 600,
      },
    });
    await expect(made(request)).rejects.toThrow(/CERTIFICATE_NAME_TAKEN.*username is "deployer.*kubernetes-admin/);
    expect((await requests(admin))[0]?.status).toEqual({});
  });
});

describe("external approval", () => {
  const external = { approval: "external" };

  test("says what to run, waits, and goes on when it is done", async () => {
    const work = made(await bound(), external);
    const { metadata } = await posted(admin);
    const progress = () =>
      engine.lines.some((line) => line.ephemeral && line.message.startsWith("Waiting for approval"));
    await until(progress);
    await decide(admin, "Approved");
    expect((await work).outputs.proved).toBe(true);
    expect(said("info")).toContain(`kubectl certificate approve ${metadata.name}`);
    expect(await requests(admin)).toEqual([]);
  });

  test("that does not come ends with an error, and the next run goes on with the same request", async () => {
    const request = await bound();
    await expect(made(request, { ...external, timeoutSeconds: 1 })).rejects.toThrow(
      /CERTIFICATE_NOT_APPROVED.*kubectl certificate approve k8sauth-.*same request/,
    );
    const { metadata } = await posted(admin);
    const work = made(request, external);
    await sleep(300);
    expect((await requests(admin)).map((left) => left.metadata?.uid)).toEqual([metadata.uid]);
    await decide(admin, "Approved");
    expect((await work).outputs.proved).toBe(true);
  });

  test("that came between two runs is collected by the second", async () => {
    const request = await bound();
    await expect(made(request, { ...external, timeoutSeconds: 1 })).rejects.toThrow(/CERTIFICATE_NOT_APPROVED/);
    await decide(admin, "Approved");
    expect((await made(request, external)).outputs.proved).toBe(true);
    expect(said("info")).toMatch(/earlier run/);
  });

  test("that is denied fails at once with the reason, and again as long as the denial stands", async () => {
    const request = await bound();
    const work = made(request, external);
    const outcome = work.catch((error: unknown) => String(error));
    await posted(admin);
    await decide(admin, "Denied", "not this one");
    expect(await outcome).toMatch(/CERTIFICATE_DENIED.*ByATest: not this one.*kubectl delete csr/);
    await expect(made(request, external)).rejects.toThrow(/CERTIFICATE_DENIED/);
    await expect(made(request)).rejects.toThrow(/CERTIFICATE_DENIED/);
  });

  test("of a request that is deleted meanwhile is asked for again", async () => {
    const work = made(await bound(), external);
    const first = await posted(admin);
    await admin.delete(`/apis/certificates.k8s.io/v1/certificatesigningrequests/${first.metadata.name}`);
    const second = await posted(admin);
    expect(second.metadata).not.toMatchObject({ uid: first.metadata.uid });
    await decide(admin, "Approved");
    expect((await work).outputs.proved).toBe(true);
  });

  test("is cancelled within 2 s, and the request stays for the next run; destroy takes it away", async () => {
    const own = await Plugin.start(engine);
    const request = await bound();
    const outcome = own.create(certificateType, inputsOf(request, external)).catch((error: unknown) => String(error));
    await posted(admin);
    const started = performance.now();
    await own.cancel();
    expect(await outcome).toMatch(/CANCELLED/);
    expect(performance.now() - started).toBeLessThan(2_000);
    await own[Symbol.asyncDispose]();
    expect(await requests(admin)).toHaveLength(1);
    await plugin.delete(certificateType, "x", {}, inputsOf(request, external));
    expect(await requests(admin)).toEqual([]);
  });
});

describe("a cluster whose signer does not answer", () => {
  beforeAll(() => sandbox.component("kube-controller-manager").pause());
  afterAll(() => sandbox.component("kube-controller-manager").resume());

  test("is an error that names the signer; the approved request does not stay", async () => {
    const work = made(await bound(), { timeoutSeconds: 2 });
    await expect(work).rejects.toThrow(/CERTIFICATE_NOT_ISSUED.*kube-apiserver-client.*--cluster-signing-cert-file/);
    expect(engine.lines).toContainEqual(
      expect.objectContaining({ ephemeral: true, message: expect.stringMatching(/to sign k8sauth-/) }),
    );
    expect(await requests(admin)).toEqual([]);
  });

  test("can be left: cancel ends the wait within 2 s, and takes the approved request away", async () => {
    const own = await Plugin.start(engine);
    const outcome = own.create(certificateType, inputsOf(await bound())).catch((error: unknown) => String(error));
    await posted(admin);
    await sleep(200);
    const started = performance.now();
    await own.cancel();
    expect(await outcome).toMatch(/CANCELLED/);
    expect(performance.now() - started).toBeLessThan(2_000);
    await own[Symbol.asyncDispose]();
    expect(await requests(admin)).toEqual([]);
  });

  test("and whose approval somebody else gave keeps the request for the next run", async () => {
    const work = made(await bound(), { approval: "external", timeoutSeconds: 2 });
    const outcome = work.catch((error: unknown) => String(error));
    await posted(admin);
    await decide(admin, "Approved");
    expect(await outcome).toMatch(/CERTIFICATE_NOT_ISSUED.*same request/);
    expect(await requests(admin)).toHaveLength(1);
  });
});

describe("renewal", () => {
  test("is due by real dates: same key and name, another certificate, and the old one still works", async () => {
    const request = await bound();
    const { id, outputs, inputs } = await made(request, { renewBefore: 597 });
    const before = await plugin.diff(certificateType, id, outputs, inputs, inputs);
    expect(before).toMatchObject({ changes: false });
    await sleep(Math.max(0, Date.parse(String(outputs.renewAfter)) - Date.now()) + 1_100);
    const due = await plugin.diff(certificateType, id, outputs, inputs, inputs);
    expect(due).toMatchObject({ changes: true, replaces: ["renewAfter"] });
    expect(said("info")).toMatch(/due for renewal/);
    const renewed = await made(request, { renewBefore: 597 });
    expect(renewed.outputs.serial).not.toBe(outputs.serial);
    expect(await userOf(String(outputs.certificatePem), request.keyPem)).toBe(request.commonName);
    expect(await userOf(String(renewed.outputs.certificatePem), request.keyPem)).toBe(request.commonName);
  });

  test("of what has expired says so, in diff and in read", async () => {
    const { id, outputs, inputs } = await made(await bound());
    const expired = { ...outputs, notAfter: "2026-01-01T00:00:00Z", issuedAt: "2025-12-31T00:00:00Z" };
    const diff = await plugin.diff(certificateType, id, expired, inputs, inputs);
    expect(diff.replaces).toEqual(["renewAfter", "notAfter"]);
    expect(said("warning")).toMatch(/expired on 2026-01-01/);
    expect((await plugin.read(certificateType, id, expired, inputs)).id).toBe("");
  });
});

describe("what changes", () => {
  test.each([
    ["nothing", {}, [], []],
    ["kubeconfig, context and key", { kubeconfig: "/other", context: "other", privateKeyPem: "other" }, [], []],
    ["renewBefore", { renewBefore: 60 }, ["renewBefore"], []],
    ["where and how it is proved", { host: "https://other", caPem: "", proof: "self" }, ["host", "caPem", "proof"], []],
    ["approval and patience", { approval: "external", timeoutSeconds: 9 }, ["approval", "timeoutSeconds"], []],
    ["lifetime", { expirationSeconds: 700 }, ["expirationSeconds"], ["expirationSeconds"]],
    ["usages", { usages: ["client auth"] }, ["usages"], ["usages"]],
    ["usages that are the default", { usages: ["client auth", "digital signature"] }, [], []],
    ["signer", { signerName: "example.com/a" }, ["signerName"], ["signerName"]],
    ["a request that is not known yet", { csrPem: unknownMark }, ["csrPem"], ["csrPem"]],
  ])("%s", async (_what, more, diffs, replaces) => {
    const { id, outputs, inputs } = await made(await bound());
    const diff = await plugin.diff(certificateType, id, outputs, inputs, { ...inputs, ...more });
    expect(diff).toMatchObject({ diffs, replaces });
  });

  test("line ends and the older label of a request are no change; another request is", async () => {
    const { id, outputs, inputs } = await made(await bound());
    const csrPem = String(inputs.csrPem).replaceAll(" CERTIFICATE", " NEW CERTIFICATE").replaceAll("\n", "\r\n");
    expect(await plugin.diff(certificateType, id, outputs, inputs, { ...inputs, csrPem })).toMatchObject({
      changes: false,
    });
    const other = { ...inputs, csrPem: (await makeRequest()).csrPem };
    expect(await plugin.diff(certificateType, id, outputs, inputs, other)).toMatchObject({ replaces: ["csrPem"] });
  });

  test("an update keeps the certificate, moves its renewal and proves it where it is to be used now", async () => {
    const { id, outputs, inputs } = await made(await bound());
    const news = { ...inputs, renewBefore: 60 };
    const updated = await plugin.update(certificateType, id, outputs, inputs, news);
    const expected = new Date(Date.parse(String(outputs.notAfter)) - 60_000).toISOString().replace(".000", "");
    expect(updated).toEqual({ ...outputs, renewAfter: expected });
    expect(await plugin.update(certificateType, id, outputs, inputs, news, true)).toEqual(updated);
    const nowhere = { ...news, host: "https://127.0.0.1:1" };
    await expect(plugin.update(certificateType, id, outputs, inputs, nowhere)).rejects.toThrow(/KUBE_REFUSED/);
  });

  test("a preview of what is not there yet says what is known", async () => {
    const request = await makeRequest(undefined, { organization: "example" });
    const inputs = { ...inputsOf(request), kubeconfig: unknownMark, host: unknownMark };
    const { outputs } = await plugin.create(certificateType, inputs, { preview: true });
    expect(outputs).toMatchObject({
      commonName: request.commonName,
      organizations: ["example"],
      certificatePem: unknownMark,
      proved: unknownMark,
    });
    const blind = await plugin.create(certificateType, { ...inputs, csrPem: unknownMark }, { preview: true });
    expect(blind.outputs).toMatchObject({ commonName: unknownMark });
    expect(await requests(admin)).toEqual([]);
  });
});

describe("drift", () => {
  test("a certificate that the API server no longer accepts is replaced by diff, and gone for read", async () => {
    const request = await bound();
    const { id, outputs, inputs } = await made(request);
    const state = { ...outputs, certificatePem: foreign(request) };
    const diff = await plugin.diff(certificateType, id, state, inputs, inputs);
    expect(diff).toMatchObject({ replaces: ["certificatePem"] });
    expect((await plugin.read(certificateType, id, state, inputs)).id).toBe("");
    expect(said("info")).toMatch(/dead/);
    expect((await plugin.read(certificateType, id, outputs, inputs)).id).toBe(id);
  });

  test("a binding that is gone is another resource's, a server that cannot be reached is a warning", async () => {
    const request = await makeRequest();
    const binding = await bindUser(admin, request.commonName);
    const { id, outputs, inputs } = await made(request);
    await admin.delete(bindingPath(binding));
    expect(await plugin.diff(certificateType, id, outputs, inputs, inputs)).toMatchObject({ changes: false });
    const away = { ...inputs, host: "https://127.0.0.1:1" };
    expect(await plugin.diff(certificateType, id, outputs, away, away)).toMatchObject({ changes: false });
    expect((await plugin.read(certificateType, id, outputs, away)).id).toBe(id);
    expect(said("warning")).toMatch(/cannot be reached.*was not tried/);
  });

  test("read and delete need no request, no key and no cluster; import is refused", async () => {
    const { id, outputs, inputs } = await made(await bound());
    const keyless = { ...inputs, privateKeyPem: undefined, kubeconfig: "/nowhere" };
    const read = await plugin.read(certificateType, id, outputs, keyless);
    expect(read.id).toBe(id);
    expect(revealed(read.outputs)).toEqual(revealed(outputs));
    await plugin.delete(certificateType, id, outputs, keyless);
    await expect(plugin.read(certificateType, "x", {}, {})).rejects.toThrow(/CERTIFICATE_NOT_IMPORTABLE/);
  });
});

/** A certificate of the same name and key from a CA that the cluster does not know. */
function foreign({ commonName, keyPem }: Request): string {
  return forgeCertificate({ subject: [[CN, commonName]], publicKey: createPublicKey(keyPem) });
}
