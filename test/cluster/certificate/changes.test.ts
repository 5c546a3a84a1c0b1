import { createPublicKey } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { CN, forgeCertificate } from "../../support/crypto/forgery.ts";
import { type Properties, revealed, unknownMark } from "../../support/plugin/properties.ts";
import { bindingPath } from "../providerFixture.ts";
import {
  bindUser,
  bound,
  certificateInputs,
  certificateType,
  createDirectly,
  makeRequest,
  type Request,
  requests,
  said,
  useBench,
  userOf,
} from "./fixture.ts";

const bench = useBench("certificate-changes");

function inputsOf(request: Request, more: object = {}): Properties {
  return certificateInputs(bench.sandbox, bench.sandbox.kubeconfig, request, more);
}

const made = (request: Request, more: object = {}) => createDirectly(bench, request, more);

/** A certificate of the same name and key from a CA that the cluster does not know. */
function foreign({ commonName, keyPem }: Request): string {
  return forgeCertificate({ subject: [[CN, commonName]], publicKey: createPublicKey(keyPem) });
}

describe("renewal", () => {
  test("is due by real dates: same key and name, another certificate, and the old one still works", async () => {
    const request = await bound(bench);
    const { id, outputs, inputs } = await made(request, { renewBefore: 597 });
    const before = await bench.plugin.diff(certificateType, id, outputs, inputs, inputs);
    expect(before).toMatchObject({ changes: false });
    await sleep(Math.max(0, Date.parse(String(outputs.renewAfter)) - Date.now()) + 1_100);
    const due = await bench.plugin.diff(certificateType, id, outputs, inputs, inputs);
    expect(due).toMatchObject({ changes: true, replaces: ["renewAfter"] });
    expect(said(bench, "info")).toMatch(/due for renewal/);
    const renewed = await made(request, { renewBefore: 597 });
    expect(renewed.outputs.serial).not.toBe(outputs.serial);
    expect(await userOf(bench, String(outputs.certificatePem), request.keyPem)).toBe(request.commonName);
    expect(await userOf(bench, String(renewed.outputs.certificatePem), request.keyPem)).toBe(request.commonName);
  });

  test("of what has expired says so, in diff and in read", async () => {
    const { id, outputs, inputs } = await made(await bound(bench));
    const expired = { ...outputs, notAfter: "2026-01-01T00:00:00Z", issuedAt: "2025-12-31T00:00:00Z" };
    const diff = await bench.plugin.diff(certificateType, id, expired, inputs, inputs);
    expect(diff.replaces).toEqual(["renewAfter", "notAfter"]);
    expect(said(bench, "warning")).toMatch(/expired on 2026-01-01/);
    expect((await bench.plugin.read(certificateType, id, expired, inputs)).id).toBe("");
  });

  test("is in the log of a run that fails because the server is away", async () => {
    const { id, outputs, inputs } = await made(await bound(bench));
    const due = { ...outputs, issuedAt: "2026-01-01T00:00:00Z" };
    const away = { ...inputs, host: "https://127.0.0.1:1" };
    await expect(bench.plugin.diff(certificateType, id, due, away, away)).rejects.toThrow(/KUBE_REFUSED/);
    expect(said(bench, "info")).toMatch(/due for renewal since/);
  });

  test("has a warning with its dates if daily runs can miss them", async () => {
    const { outputs } = await made(await bound(bench));
    const { renewAfter, notAfter } = outputs as Record<string, string>;
    expect(said(bench, "warning")).toContain(`schedule a run between ${renewAfter} and the expiry, ${notAfter}.`);
  });
});

describe("what changes", () => {
  test.each([
    ["nothing", {}, [], []],
    ["kubeconfig, context and key", { kubeconfig: "/other", context: "other", privateKeyPem: "other" }, [], []],
    ["renewBefore", { renewBefore: 60 }, ["renewBefore"], []],
    [
      "where and how it is proved",
      { host: "https://other", caPem: "", proof: "self", offline: "warn" },
      ["host", "caPem", "proof"],
      [],
    ],
    ["approval and patience", { approval: "external", timeoutSeconds: 9 }, ["approval", "timeoutSeconds"], []],
    ["lifetime", { expirationSeconds: 700 }, ["expirationSeconds"], ["expirationSeconds"]],
    ["usages", { usages: ["client auth"] }, ["usages"], ["usages"]],
    ["usages that are the default", { usages: ["client auth", "digital signature"] }, [], []],
    ["signer", { signerName: "example.com/a" }, ["signerName"], ["signerName"]],
    ["a request that is not known yet", { csrPem: unknownMark }, ["csrPem"], ["csrPem"]],
  ])("%s", async (_what, more, diffs, replaces) => {
    const { id, outputs, inputs } = await made(await bound(bench));
    const diff = await bench.plugin.diff(certificateType, id, outputs, inputs, { ...inputs, ...more });
    expect(diff).toMatchObject({ diffs, replaces });
  });

  test("line ends and the older label of a request are no change; another request is", async () => {
    const { id, outputs, inputs } = await made(await bound(bench));
    const csrPem = String(inputs.csrPem).replaceAll(" CERTIFICATE", " NEW CERTIFICATE").replaceAll("\n", "\r\n");
    expect(await bench.plugin.diff(certificateType, id, outputs, inputs, { ...inputs, csrPem })).toMatchObject({
      changes: false,
    });
    const other = { ...inputs, csrPem: (await makeRequest()).csrPem };
    expect(await bench.plugin.diff(certificateType, id, outputs, inputs, other)).toMatchObject({
      replaces: ["csrPem"],
    });
  });

  test("an update keeps the certificate, moves its renewal and proves it where it is to be used now", async () => {
    const { id, outputs, inputs } = await made(await bound(bench));
    const news = { ...inputs, renewBefore: 60 };
    const updated = await bench.plugin.update(certificateType, id, outputs, inputs, news);
    const expected = new Date(Date.parse(String(outputs.notAfter)) - 60_000).toISOString().replace(".000", "");
    expect(updated).toEqual({ ...outputs, renewAfter: expected });
    expect(await bench.plugin.update(certificateType, id, outputs, inputs, news, true)).toEqual(updated);
    const nowhere = { ...news, host: "https://127.0.0.1:1" };
    await expect(bench.plugin.update(certificateType, id, outputs, inputs, nowhere)).rejects.toThrow(/KUBE_REFUSED/);
  });

  test("a private key that is set later proves the certificate", async () => {
    const request = await bound(bench);
    const { id, outputs, inputs } = await made(request, { privateKeyPem: undefined });
    expect(outputs).toMatchObject({ proved: false, proofNote: expect.stringContaining("private key") });
    const unchanged = await bench.plugin.diff(certificateType, id, outputs, inputs, inputs);
    expect(unchanged).toMatchObject({ changes: false });
    const news = inputsOf(request);
    const diff = await bench.plugin.diff(certificateType, id, outputs, inputs, news);
    expect(diff).toMatchObject({ diffs: ["proof"], replaces: [] });
    const preview = await bench.plugin.update(certificateType, id, outputs, inputs, news, true);
    expect(preview).toEqual({ ...outputs, proved: unknownMark, proofNote: unknownMark });
    const updated = await bench.plugin.update(certificateType, id, outputs, inputs, news);
    expect(updated).toEqual({ ...outputs, proved: true, proofNote: "" });
  });

  test("a preview of what is not there yet says what is known", async () => {
    const request = await makeRequest(undefined, { organization: "example" });
    const inputs = { ...inputsOf(request), host: unknownMark };
    const { outputs } = await bench.plugin.create(certificateType, inputs, { preview: true });
    expect(outputs).toMatchObject({
      commonName: request.commonName,
      organizations: ["example"],
      certificatePem: unknownMark,
      proved: unknownMark,
    });
    const blind = await bench.plugin.create(certificateType, { ...inputs, csrPem: unknownMark }, { preview: true });
    expect(blind.outputs).toMatchObject({ commonName: unknownMark });
    expect(await requests(bench.admin)).toEqual([]);
  });
});

describe("drift", () => {
  test("a certificate that the API server no longer accepts is replaced by diff, and gone for read", async () => {
    const request = await bound(bench);
    const { id, outputs, inputs } = await made(request);
    const state = { ...outputs, certificatePem: foreign(request) };
    const diff = await bench.plugin.diff(certificateType, id, state, inputs, inputs);
    expect(diff).toMatchObject({ replaces: ["certificatePem"] });
    expect((await bench.plugin.read(certificateType, id, state, inputs)).id).toBe("");
    expect(said(bench, "info")).toMatch(/dead/);
    expect((await bench.plugin.read(certificateType, id, outputs, inputs)).id).toBe(id);
  });

  test("a binding that is gone is a change, a server that cannot be reached an error or a warning as `offline` says", async () => {
    const request = await makeRequest();
    const binding = await bindUser(bench.admin, request.commonName);
    const { id, outputs, inputs } = await made(request);
    await bench.admin.delete(bindingPath(binding));
    expect(await bench.plugin.diff(certificateType, id, outputs, inputs, inputs)).toMatchObject({
      diffs: ["proof"],
      replaces: [],
    });
    expect(said(bench, "warning")).toMatch(/lacks the right create tokenreviews.*pulumi up --refresh/);
    await expect(bench.plugin.update(certificateType, id, outputs, inputs, inputs)).rejects.toThrow(
      /CERTIFICATE_MAY_NOT_REVIEW/,
    );
    expect((await bench.plugin.read(certificateType, id, outputs, inputs)).id).toBe(id);
    const away = { ...inputs, host: "https://127.0.0.1:1" };
    await expect(bench.plugin.diff(certificateType, id, outputs, away, away)).rejects.toThrow(/KUBE_REFUSED/);
    await expect(bench.plugin.read(certificateType, id, outputs, away)).rejects.toThrow(/KUBE_REFUSED/);
    const offline = { ...away, offline: "warn" };
    expect(await bench.plugin.diff(certificateType, id, outputs, away, offline)).toMatchObject({ changes: false });
    expect((await bench.plugin.read(certificateType, id, outputs, offline)).id).toBe(id);
    expect(said(bench, "warning")).toMatch(/was not tried/);
  });

  test("read and delete need no request, no key and no cluster; import is refused", async () => {
    const { id, outputs, inputs } = await made(await bound(bench));
    const keyless = { ...inputs, privateKeyPem: undefined, kubeconfig: "/nowhere" };
    const read = await bench.plugin.read(certificateType, id, outputs, keyless);
    expect(read.id).toBe(id);
    expect(revealed(read.outputs)).toEqual(revealed(outputs));
    await bench.plugin.delete(certificateType, id, outputs, keyless);
    await expect(bench.plugin.read(certificateType, "x", {}, {})).rejects.toThrow(/CERTIFICATE_NOT_IMPORTABLE/);
  });
});
