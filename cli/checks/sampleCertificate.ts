import { generateKeyPair, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import forge from "node-forge";
import type { Right } from "../../kubernetes/cluster/rights.ts";
import { apiServerClientSigner } from "../../kubernetes/cluster/signers.ts";
import { type KubeClient, pathFor } from "../../kubernetes/index.ts";

const requests = { group: "certificates.k8s.io", resource: "certificatesigningrequests" };

/** The rights that `sampleCertificate` needs. */
export const sampleCertificateRights: readonly Right[] = [
  ...["create", "get", "delete"].map((verb) => ({ verb, ...requests })),
  { verb: "update", ...requests, subresource: "approval" },
  { verb: "approve", group: requests.group, resource: "signers", name: apiServerClientSigner },
];

/**
 * Requests and approves a client certificate for a new name without rights. It is valid for ten minutes. The request is deleted again.
 *
 * @param timeoutMs time to wait for the signature, in milliseconds
 * @throws KubeError, or Error if the cluster does not sign in this time
 */
export async function sampleCertificate(
  deployer: KubeClient,
  timeoutMs = 10_000,
): Promise<{ certPem: string; keyPem: string }> {
  const name = `k8sauth-check-${randomBytes(4).toString("hex")}`;
  const { keyPem, csrPem } = await requestFor(name);
  return { certPem: await signedBy(deployer, name, csrPem, timeoutMs), keyPem };
}

/** A new key, and a certificate request for a name. */
async function requestFor(commonName: string): Promise<{ keyPem: string; csrPem: string }> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const request = forge.pki.createCertificationRequest();
  request.publicKey = forge.pki.publicKeyFromPem(publicKey.export({ type: "spki", format: "pem" }).toString());
  request.setSubject([{ name: "commonName", value: commonName }]);
  request.sign(forge.pki.privateKeyFromPem(keyPem), forge.md.sha256.create());
  return { keyPem, csrPem: forge.pki.certificationRequestToPem(request) };
}

interface SigningRequest {
  readonly status?: { readonly certificate?: string };
}

async function signedBy(deployer: KubeClient, name: string, csrPem: string, timeoutMs: number): Promise<string> {
  const apiVersion = "certificates.k8s.io/v1";
  const kind = "CertificateSigningRequest";
  const path = pathFor(apiVersion, kind, undefined, name);
  const request = await deployer.create(pathFor(apiVersion, kind), {
    apiVersion,
    kind,
    metadata: { name },
    spec: {
      request: Buffer.from(csrPem).toString("base64"),
      signerName: apiServerClientSigner,
      usages: ["client auth"],
      expirationSeconds: 600,
    },
  });
  try {
    const message = "k8sauth check: shows that this name has no rights";
    const condition = { type: "Approved", status: "True", reason: "K8sauthCheck", message };
    await deployer.replace(`${path}/approval`, { ...request, status: { conditions: [condition] } });
    const deadline = performance.now() + timeoutMs;
    for (let pause = 5; ; pause = Math.min(2 * pause, 1_000)) {
      const left = deadline - performance.now();
      const { status } = await deployer.get<SigningRequest>(path);
      if (status?.certificate) return Buffer.from(status.certificate, "base64").toString("utf8");
      if (left <= 0) throw new Error(`the cluster signed no certificate within ${timeoutMs / 1000} s`);
      await sleep(Math.min(pause, left));
    }
  } finally {
    await deployer.delete(path, { ignoreNotFound: true });
  }
}
