/** Right and wrong answers of servers and signers, changed by a proxy in front of the real ones. */
import { createPublicKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { CN, forgeCertificate, O } from "../../support/crypto/forgery.ts";
import { type Properties, secretOf } from "../../support/plugin/properties.ts";
import type { Json } from "../../support/proxies/faultProxy.ts";
import {
  bound,
  certificateType,
  makeRequest,
  paths,
  proxiedInputs,
  type Request,
  requests,
  said,
  useBench,
} from "./fixture.ts";

const bench = useBench("certificate-mismatch");

const { collection, object, approval, any, selfReview } = paths;
const inputsOf = (request: Request, more: object = {}) => proxiedInputs(bench, request, more);

async function make(more: object = {}, request?: Request): Promise<Properties> {
  const inputs = inputsOf(request ?? (await bound(bench)), more);
  return (await bench.plugin.create(certificateType, inputs)).outputs;
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

describe("a server's copy that is not what was posted is never approved", () => {
  const change = (spec: Json) => (body: Json) => ({ ...body, spec: { ...(body.spec as Json), ...spec } });
  test.each<[string, Json, RegExp]>([
    ["other bytes", { request: "eA==" }, /has other bytes/],
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
    bench.proxy.add({ method: "POST", path: collection, change: change(spec) });
    await expect(make()).rejects.toThrow(expected);
    expect(bench.proxy.outcomes(approval)).toEqual([]);
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("another object under the same name, while it waits", async () => {
    const other = (body: Json) => ({ ...body, metadata: { ...(body.metadata as Json), uid: "another" } });
    bench.proxy.add({ method: "GET", path: object, change: other });
    await expect(make()).rejects.toThrow(/CERTIFICATE_REQUEST_OTHER.*UID is another/);
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("another object under the same name, just before the approval", async () => {
    const other = (body: Json) => ({ ...body, metadata: { ...(body.metadata as Json), uid: "another" } });
    bench.proxy.add(
      { method: "PUT", path: approval, times: 1, answer: { status: 409 } },
      { method: "GET", path: object, change: other },
    );
    await expect(make()).rejects.toThrow(/CERTIFICATE_REQUEST_OTHER.*UID is another/);
    expect(bench.proxy.outcomes(approval)).toEqual(["PUT 409"]);
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
    const request = await bound(bench);
    bench.proxy.add({ method: "GET", path: object, change: signedAs(() => forgeCertificate(options(request))) });
    const outcome = await make({}, request).catch((error: unknown) => String(error));
    expect(outcome).toMatch(/CERTIFICATE_REJECTED/);
    expect(outcome).toMatch(expected);
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("from a CA that the API server does not know", async () => {
    const request = await bound(bench);
    bench.proxy.add({ method: "GET", path: object, change: signedAs(() => forgeCertificate(of(request))) });
    await expect(make({}, request)).rejects.toThrow(/CERTIFICATE_REFUSED.*--client-ca-file/);
    expect(await requests(bench.admin)).toEqual([]);
  });
});

describe("what signers and servers may do", () => {
  test("a chain with text around: the first block is the certificate, and only blocks are kept", async () => {
    const text = (real: string) =>
      `Issued to you.\r\n${real.replaceAll("\n", "\r\n")}\nand its CA\n${bench.sandbox.clientCaPem}bye`;
    bench.proxy.add({ method: "GET", path: object, change: signedAs(text) });
    const { certificatePem, proved } = await make();
    expect(proved).toBe(true);
    expect(String(certificatePem)).toMatch(/^-----BEGIN CERTIFICATE-----\n/);
    expect(String(certificatePem).endsWith(bench.sandbox.clientCaPem.replaceAll("\r", ""))).toBe(true);
    expect(String(certificatePem).match(/BEGIN/g)).toHaveLength(2);
    expect(String(certificatePem)).not.toMatch(/Issued|its CA|bye|\r/);
  });

  test.each([-600, 600])("a clock that is off by %d s", async (seconds) => {
    const date = new Date(Date.now() + seconds * 1000 + (seconds > 0 ? -5_000 : 5_000)).toUTCString();
    bench.proxy.add({ path: any, headers: { date } });
    const lifetime = seconds > 0 ? 1_200 : 600;
    expect((await make({ expirationSeconds: lifetime })).proved).toBe(true);
  });

  test("a server older than 1.28 that does not say who asks: its own copy of the request does", async () => {
    bench.proxy.add({ path: selfReview, answer: { status: 404 } });
    expect((await make()).proved).toBe(true);
    expect(bench.proxy.outcomes(collection)).toEqual(["POST 201", "POST 201"]);
    expect(bench.proxy.outcomes(object).at(-1)).toBe("DELETE 200");
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("a server older than 1.22 that drops the lifetime", async () => {
    const drop = (body: Json) => ({ ...body, spec: { ...(body.spec as Json), expirationSeconds: undefined } });
    bench.proxy.add({ path: any, change: drop });
    bench.proxy.add({ path: /^\/version$/, change: (body) => ({ ...body, gitVersion: "v1.21.14" }) });
    expect((await make()).proved).toBe(true);
  });

  test("a request that cannot be deleted in the end is no reason to lose the certificate", async () => {
    bench.proxy.add({ method: "DELETE", path: object, answer: { status: 403 } });
    expect((await make()).proved).toBe(true);
    expect(said(bench, "warning")).toMatch(/could not be deleted; Kubernetes deletes it an hour after/);
  });

  test("EKS is recognised before anything is posted, and the token flow proposed", async () => {
    bench.proxy.add({ path: /^\/version$/, change: (body) => ({ ...body, gitVersion: "v1.34.1-eks-113cf36" }) });
    await expect(make()).rejects.toThrow(/CERTIFICATE_NO_SIGNER.*EKS.*token flow/);
    expect(bench.proxy.outcomes(any)).toEqual([]);
  });
});

test("a private key of another request is not in the error that refuses it", async () => {
  const [request, other] = [await bound(bench), await makeRequest()];
  const { kubeconfig: _, ...inputs } = inputsOf(request);
  const { failures } = await bench.plugin.check(certificateType, {
    ...inputs,
    privateKeyPem: secretOf(other.keyPem),
  });
  expect(failures).toMatchObject([{ property: "privateKeyPem", reason: expect.stringMatching(/PRIVATE_KEY_OTHER/) }]);
  expect(JSON.stringify(failures)).not.toContain(other.keyPem.split("\n")[1]);
});
