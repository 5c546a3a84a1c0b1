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
 * Has the cluster sign a client certificate for a new name without rights, for ten minutes. Deletes the request again.
 *
 * @throws KubeError, or Error if the cluster signs nothing within 10 s
 */
export async function sampleCertificate(deployer: KubeClient): Promise<{ certPem: string; keyPem: string }> {
  const name = `k8sauth-check-${randomBytes(4).toString("hex")}`;
  const { keyPem, csrPem } = await requestFor(name);
  return { certPem: await signedBy(deployer, name, csrPem), keyPem };
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

async function signedBy(deployer: KubeClient, name: string, csrPem: string): Promise<string> {
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
    for (let pause = 5; pause < 5_000; pause *= 2) {
      const { status } = await deployer.get<SigningRequest>(path);
      if (status?.certificate) return Buffer.from(status.certificate, "base64").toString("utf8");
      await sleep(pause);
    }
    throw new Error("the cluster signed no certificate within 10 s");
  } finally {
    await deployer.delete(path, { ignoreNotFound: true });
  }
}
