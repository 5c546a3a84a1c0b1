import { createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { CertificateAccess } from "../../../gateways/index.ts";
import { KubeClient, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { reviewToken } from "../../../kubernetes/reviews.ts";
import { certificateRequest } from "../../support/crypto/certificateRequest.ts";
import { added, adminOf, inventory } from "../../support/inventory.ts";
import { hasChanges } from "../../support/pulumi/engineEvents.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

interface Credential {
  readonly subject: string;
  readonly serial: string;
  readonly fingerprint: string;
  readonly notAfter: string;
  readonly renewAfter: string;
  readonly proved: boolean;
  readonly note: string;
  readonly certificatePem?: string;
}

interface Outputs {
  readonly authConfigs: { readonly certificate: Record<string, Record<string, string>> };
  readonly clusterAccess: CertificateAccess;
  readonly kubeconfigs: Record<string, string>;
  readonly credentials: { readonly certificate: Credential };
  readonly notes: readonly string[];
}

const kubeconfig = workerKubeconfig();
const settings = { kubeconfig, allowLoopbackHost: true, tokenFlow: false, certificateFlow: true };
const requests = pathFor("certificates.k8s.io/v1", "CertificateSigningRequest");
let admin: KubeClient;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});

afterEach(async () => {
  await stack?.[Symbol.asyncDispose]();
});

afterAll(() => admin?.close());

async function outputs(): Promise<Outputs> {
  return (await stack.outputs()) as unknown as Outputs;
}

/** A client with the certificate of a stack's outputs. */
function clientOf({ host, caPem, certificatePem, privateKeyPem }: CertificateAccess): KubeClient {
  return KubeClient.direct({ server: host, caPem, certPem: certificatePem, keyPem: privateKeyPem });
}

/** Whether the certificate may review tokens: true, or the code of the refusal. */
async function mayReview(access: CertificateAccess): Promise<true | string> {
  using client = clientOf(access);
  try {
    await reviewToken(client, "no token");
    return true;
  } catch (error) {
    return String((error as { code?: string }).code);
  }
}

async function openRequests(): Promise<string[]> {
  const { items } = await admin.get<{ items: { metadata: { name: string } }[] }>(requests);
  return items.map(({ metadata }) => metadata.name);
}

describe("an up with the certificate flow", () => {
  test("creates key, binding and a proved certificate, leaves no request, and changes nothing the second time", async () => {
    const before = await inventory(admin);
    stack = await TestStack.make("cert", { ...settings, certificateOrganization: "gateways" });
    await stack.up();
    const { credentials, clusterAccess } = await outputs();
    expect(credentials.certificate).toMatchObject({ subject: "gateway-token-reviewer-cert", proved: true, note: "" });
    const leaf = new X509Certificate(clusterAccess.certificatePem);
    expect(leaf.subject.split("\n").sort()).toEqual(["CN=gateway-token-reviewer-cert", "O=gateways"]);
    expect(leaf.publicKey.equals(createPublicKey(clusterAccess.privateKeyPem))).toBe(true);
    expect(leaf.fingerprint256).toBe(credentials.certificate.fingerprint);
    expect(credentials.certificate).not.toHaveProperty("certificatePem");
    expect(await openRequests()).toEqual([]);
    expect(added(before, await inventory(admin))).toEqual([
      "ClusterRole gateway-client-certificate-#",
      "ClusterRoleBinding gateway-client-certificate-#",
    ]);
    const second = await stack.up();
    expect(hasChanges(second.changes)).toBe(false);
    expect((await outputs()).credentials.certificate.serial).toBe(credentials.certificate.serial);
    await stack.destroy();
    expect(added(before, await inventory(admin))).toEqual([]);
    expect(await mayReview(clusterAccess)).toBe("KUBE_FORBIDDEN");
  });

  test("feeds gateways in their own encodings: Akeyless, and a kubeconfig that works as it is", async () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const signingKey = privateKey.export({ type: "pkcs1", format: "pem" }).toString();
    stack = await TestStack.make("feed", {
      ...settings,
      certificateKeyType: "P256",
      akeylessAccessId: "p-abcdefg1234",
      akeylessSigningKey: Buffer.from(signingKey).toString("base64"),
      akeylessGatewayUrl: "https://gateway.example",
    });
    await stack.up();
    const { workloadLogin } = (await stack.outputs()) as { workloadLogin: { akeyless: unknown } };
    expect(workloadLogin.akeyless).toMatchObject({ k8sAuthConfigName: "k8s-conf-certificate" });
    const { authConfigs, clusterAccess, kubeconfigs } = await outputs();
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    expect(authConfigs.certificate.akeyless).toEqual({
      name: "k8s-conf-certificate",
      "access-id": "p-abcdefg1234",
      "signing-key": base64(signingKey),
      "cluster-api-type": "native_k8s",
      "k8s-auth-type": "certificate",
      "k8s-host": clusterAccess.host,
      "k8s-ca-cert": base64(clusterAccess.caPem),
      "k8s-client-certificate": base64(clusterAccess.certificatePem),
      "k8s-client-key": base64(clusterAccess.privateKeyPem),
      "k8s-issuer": clusterAccess.issuer,
      "disable-issuer-validation": "true",
    });
    using client = new KubeClient(await loadConnection({ kubeconfig: kubeconfigs.certificate ?? "" }, {}));
    const who = await client.create<{ status: { userInfo: { username: string } } }>(
      pathFor("authentication.k8s.io/v1", "SelfSubjectReview"),
      { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
    );
    expect(who.status.userInfo.username).toBe("gateway-token-reviewer-feed");
  });

  test.each(["RSA3072", "P384"])("takes keys of type %s", async (certificateKeyType) => {
    stack = await TestStack.make("keys", { ...settings, certificateKeyType });
    await stack.up();
    const { publicKey } = new X509Certificate((await outputs()).clusterAccess.certificatePem);
    const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
    expect(modulusLength ?? namedCurve).toBe(certificateKeyType === "P384" ? "secp384r1" : 3072);
  });

  test("signs a request that the user supplies, outputs the certificate, says that it was not proved, and keeps no key", async () => {
    const { privateKey: key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const certificateRequestPem = certificateRequest(key, { commonName: "brought" });
    stack = await TestStack.make("own", {
      ...settings,
      certificateCommonName: "brought",
      certificateRequest: certificateRequestPem,
    });
    await stack.up();
    const { credentials, clusterAccess, kubeconfigs, notes } = await outputs();
    expect(credentials.certificate).toMatchObject({ subject: "brought", proved: false });
    expect(credentials.certificate.note).not.toBe("");
    expect(clusterAccess).not.toHaveProperty("privateKeyPem");
    expect(kubeconfigs).toEqual({});
    expect(notes.join()).toContain("without the private key");
    expect(notes.join()).toMatch(/certificate expires.*schedule runs/);
    const { certificatePem = "", fingerprint } = credentials.certificate;
    expect(JSON.parse(await stack.command("stack", "output", "credentials", "--json"))).toEqual(credentials);
    expect(new X509Certificate(certificatePem).fingerprint256).toBe(fingerprint);
    const privateKeyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
    expect(await mayReview({ ...clusterAccess, certificatePem, privateKeyPem })).toBe(true);
  });
});

describe("renewal", () => {
  test("is announced by a preview and done by a plain up, while the old certificate goes on working", async () => {
    // The signer's shortest lifetime, renewed as early as possible.
    stack = await TestStack.make("renew", {
      ...settings,
      certificateExpirationSeconds: 600,
      certificateRenewBefore: 598,
    });
    await stack.up();
    const first = await outputs();
    const due = Date.parse(first.credentials.certificate.renewAfter);
    await sleep(Math.max(0, due - Date.now() + 100));
    expect((await stack.preview()).changes).toMatchObject({ replace: 1 });
    let refusals = 0;
    let calls = 0;
    let running = true;
    const using = (async () => {
      while (running) {
        calls += 1;
        if ((await mayReview(first.clusterAccess)) !== true) refusals += 1;
      }
    })();
    const renewed = await stack.up();
    running = false;
    await using;
    expect(renewed.changes).toMatchObject({ replace: 1 });
    const second = await outputs();
    expect(second.credentials.certificate.serial).not.toBe(first.credentials.certificate.serial);
    expect(second.clusterAccess.privateKeyPem).toBe(first.clusterAccess.privateKeyPem);
    expect(second.credentials.certificate.subject).toBe(first.credentials.certificate.subject);
    expect(calls).toBeGreaterThan(0);
    expect(refusals).toBe(0);
    expect(await openRequests()).toEqual([]);
  });
});

describe("rotation", () => {
  test("gives a new key and name; listed epochs keep their rights, the others lose them", async () => {
    stack = await TestStack.make("rotate", {
      ...settings,
      certificateKeyType: "P256",
      certificateCommonName: "gateway",
      rotation: { current: "2026-q3" },
    });
    await stack.up();
    const old = await outputs();
    expect(old.credentials.certificate.subject).toBe("gateway-2026-q3");

    await stack.configure({ rotation: { current: "2026-q4", previous: ["2026-q3"] } });
    await stack.up();
    const steps = stack.steps;
    const fresh = await outputs();
    expect(fresh.credentials.certificate.subject).toBe("gateway-2026-q4");
    expect(fresh.clusterAccess.privateKeyPem).not.toBe(old.clusterAccess.privateKeyPem);
    expect(steps.indexOf("create SignedCertificate")).toBeLessThan(steps.indexOf("delete SignedCertificate"));
    expect(await mayReview(old.clusterAccess)).toBe(true);
    expect(await mayReview(fresh.clusterAccess)).toBe(true);

    await stack.configure({ rotation: { current: "2026-q4" } });
    await stack.up();
    expect(stack.steps).toEqual(["delete ClusterRoleBinding"]);
    expect(await mayReview(old.clusterAccess)).toBe("KUBE_FORBIDDEN");
    expect(await mayReview(fresh.clusterAccess)).toBe(true);
  });

  test("the first one keeps the rights of the user before it for as long as it is listed", async () => {
    stack = await TestStack.make("first", {
      ...settings,
      certificateKeyType: "P256",
      certificateCommonName: "gateway",
    });
    await stack.up();
    const old = await outputs();
    await stack.configure({ rotation: { current: "a", previous: [""] } });
    await stack.up();
    const fresh = await outputs();
    expect(fresh.credentials.certificate).toMatchObject({
      subject: "gateway-a",
      epoch: "a",
      previous: [{ epoch: "", subject: "gateway" }],
    });
    expect(await mayReview(old.clusterAccess)).toBe(true);
    await stack.configure({ rotation: { current: "a" } });
    await stack.up();
    expect(await mayReview(old.clusterAccess)).toBe("KUBE_FORBIDDEN");
    expect(await mayReview(fresh.clusterAccess)).toBe(true);
  });
});

test("a refresh long after the request is gone keeps the certificate", async () => {
  stack = await TestStack.make("kept", { ...settings, certificateKeyType: "P256" });
  await stack.up();
  const { serial } = (await outputs()).credentials.certificate;
  await stack.refresh();
  expect(hasChanges((await stack.up()).changes)).toBe(false);
  expect((await outputs()).credentials.certificate.serial).toBe(serial);
});
