import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { KubeClient } from "../../../kubernetes/index.ts";
import type { Properties } from "../../support/plugin/properties.ts";
import { bindingPath, kubeconfigFor } from "../providerFixture.ts";
import {
  bindUser,
  bound,
  certificateInputs,
  certificateType,
  createDirectly,
  makeDeployer,
  makeRequest,
  nameOf,
  type Request,
  requests,
  said,
  signer,
  until,
  useBench,
  userOf,
} from "./fixture.ts";

const bench = useBench("certificate");

function inputsOf(request: Request, more: object = {}): Properties {
  return certificateInputs(bench.sandbox, bench.sandbox.kubeconfig, request, more);
}

const made = (request: Request, more: object = {}) => createDirectly(bench, request, more);

describe("a certificate", () => {
  test.each([
    ["RSA 2048", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["ECDSA P-256", () => generateKeyPairSync("ec", { namedCurve: "P-256" })],
    ["ECDSA P-384", () => generateKeyPairSync("ec", { namedCurve: "P-384" })],
    ["Ed25519", () => generateKeyPairSync("ed25519")],
  ])("for a key of %s is signed, compared, proved and described; nothing stays", async (_kind, pair) => {
    const request = await bound(bench, { key: pair().privateKey, organization: "example" });
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
    // The signer dates a certificate five minutes back. It signs after the approval, which is when the certificate counts as issued.
    const signedAt = notBefore + 300;
    expect(signedAt).toBeGreaterThanOrEqual(issuedAt);
    expect(signedAt).toBeLessThanOrEqual(Date.now() / 1000);
    expect(notAfter).toBe(signedAt + 600);
    expect(Math.abs(renewAfter - issuedAt - ((notAfter - issuedAt) * 2) / 3)).toBeLessThanOrEqual(1);
    expect(await userOf(bench, String(outputs.certificatePem), request.keyPem)).toBe(request.commonName);
    expect(await requests(bench.admin)).toEqual([]);
    expect(said(bench)).toMatch(/^Only pulumi up renews the certificate: [^\n]*$/);
  });

  test("without its key is not proved, and says so", async () => {
    const request = await makeRequest();
    const { outputs } = await made(request, { privateKeyPem: undefined });
    expect(outputs).toMatchObject({ proved: false, proofNote: expect.stringMatching(/private key/) });
    expect(await userOf(bench, String(outputs.certificatePem), request.keyPem)).toBe(request.commonName);
  });

  test("is proved at the deployer's own server where the host is none to be tried", async () => {
    const { outputs } = await made(await bound(bench), { host: "https://127.0.0.1:1", proveHost: false });
    expect(outputs.proved).toBe(true);
  });

  test("of a user with another role is proved by a review of itself", async () => {
    const request = await makeRequest();
    expect((await made(request, { proof: "self" })).outputs.proved).toBe(true);
  });

  test("whose binding comes late is proved when it is there", async () => {
    const request = await makeRequest();
    const work = made(request);
    await until(async () => (await requests(bench.admin)).some((left) => left.status?.certificate));
    await bindUser(bench.admin, request.commonName);
    expect((await work).outputs.proved).toBe(true);
  });

  test("whose user may not review is refused with the right that is missing, and leaves nothing", async () => {
    await expect(made(await makeRequest())).rejects.toThrow(
      /CERTIFICATE_MAY_NOT_REVIEW.*create tokenreviews\.authentication\.k8s\.io/,
    );
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("of a reviewer that may also read Secrets is discarded, and one of another user is not", async () => {
    const request = await bound(bench);
    const binding = await bindUser(bench.admin, request.commonName, "edit");
    try {
      await expect(made(request)).rejects.toThrow(
        /CERTIFICATE_READS_SECRETS.*may list the Secrets of the whole cluster/,
      );
      expect(await requests(bench.admin)).toEqual([]);
      expect((await made(request, { proof: "self" })).outputs.proved).toBe(true);
    } finally {
      await bench.admin.delete(bindingPath(binding));
    }
  });

  test.each([
    ["user", "system:admin", undefined],
    ["group", "gateway", "system:masters"],
    ["group of kubeadm", "gateway", "kubeadm:cluster-admins"],
  ])("for a %s of Kubernetes is not requested, also without the check before", async (_what, name, organization) => {
    const request = await makeRequest(name, organization === undefined ? {} : { organization });
    await expect(made(request)).rejects.toThrow(/CSR_SUBJECT_REFUSED/);
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("that the signer makes shorter than asked is taken, and renewed by its real dates", async () => {
    const year = 365 * 24 * 3600;
    const { outputs } = await made(await bound(bench), { expirationSeconds: 2 * year, renewBefore: 2 * year - 60 });
    const left = (name: string) => (Date.parse(String(outputs[name])) - Date.now()) / 1000;
    expect(left("notAfter")).toBeLessThan(year);
    expect(left("renewAfter")).toBeGreaterThan(year / 2);
    expect(said(bench, "warning")).toMatch(/730 days[\s\S]*less than requested[\s\S]*two thirds/);
  });

  test("is not made where the signer refuses the usages: its own reason, and nothing stays", async () => {
    const usages = ["digital signature", "client auth", "server auth"];
    await expect(made(await bound(bench), { usages })).rejects.toThrow(/CERTIFICATE_FAILED.*SignerValidationFailure/);
    expect(await requests(bench.admin)).toEqual([]);
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
      const deployer = await makeDeployer(bench.admin, bench.sandbox, rules);
      const kubeconfig = kubeconfigFor(bench.sandbox.server, bench.sandbox.caPem, deployer);
      const inputs = certificateInputs(bench.sandbox, kubeconfig, await bound(bench));
      await expect(bench.plugin.create(certificateType, inputs)).rejects.toThrow(
        /CERTIFICATE_MAY_NOT_APPROVE.*update on certificatesigningrequests\/approval.*approve on signers.*kube-apiserver-client.*external/,
      );
      expect(await requests(bench.admin)).toEqual([]);
    }
    const approve = {
      apiGroups: ["certificates.k8s.io"],
      resources: ["signers"],
      resourceNames: [signer],
      verbs: ["approve"],
    };
    const deployer = await makeDeployer(bench.admin, bench.sandbox, [manage, update, approve]);
    const kubeconfig = kubeconfigFor(bench.sandbox.server, bench.sandbox.caPem, deployer);
    const { outputs } = await bench.plugin.create(
      certificateType,
      certificateInputs(bench.sandbox, kubeconfig, await bound(bench)),
    );
    expect(outputs.proved).toBe(true);
  });
});

describe("a request whose name is taken", () => {
  test("by somebody else's for other content is refused, and neither approved nor touched", async () => {
    const [request, other] = await Promise.all([bound(bench), makeRequest()]);
    const name = await nameOf(inputsOf(request), "kubernetes-admin");
    await bench.admin.create("/apis/certificates.k8s.io/v1/certificatesigningrequests", {
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
    await expect(made(request)).rejects.toThrow(/CERTIFICATE_NAME_TAKEN.*has other bytes.*kubectl delete csr/);
    const [left] = await requests(bench.admin);
    expect(left?.metadata?.name).toBe(name);
    expect(left?.status).toEqual({});
  });

  test("by the same content of another user is refused as well", async () => {
    const request = await bound(bench);
    const rule = { apiGroups: ["certificates.k8s.io"], resources: ["certificatesigningrequests"], verbs: ["create"] };
    const squatter = await makeDeployer(bench.admin, bench.sandbox, [rule]);
    using client = KubeClient.direct({ server: bench.sandbox.server, caPem: bench.sandbox.caPem, ...squatter });
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
    expect((await requests(bench.admin))[0]?.status).toEqual({});
  });
});
