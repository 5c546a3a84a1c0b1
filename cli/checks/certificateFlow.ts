import { generateKeyPair, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import forge from "node-forge";
import type { CertificateAccess } from "../../gateways/index.ts";
import type { Finding } from "../../kubernetes/finding.ts";
import { KubeClient, pathFor } from "../../kubernetes/index.ts";
import { reviewToken } from "../../kubernetes/reviews.ts";
import { forbidden, readsNoSecrets } from "./report.ts";

/** No token at all: a review of it says that the reviewer may review, and nothing else. */
const noToken = "k8sauth-check";

/**
 * Proves a client certificate as a gateway would use it: it is who it says, may review tokens and do nothing else, and a
 * certificate for another name, signed for the purpose, may not even that.
 */
export async function checkCertificateFlow(
  access: CertificateAccess,
  subject: string,
  deployer: KubeClient,
): Promise<Finding[]> {
  const { host, caPem, certificatePem, privateKeyPem } = access;
  const label = "the client certificate";
  using client = KubeClient.direct({ server: host, caPem, certPem: certificatePem, keyPem: privateKeyPem, label });
  const itself = await reviewsTokens(client, `The certificate of ${subject} reviews tokens`);
  if (!itself.holds) return [itself];
  return [
    itself,
    await readsNoSecrets(client, "The certificate reads no Secrets"),
    await otherNameMayNothing(access, deployer),
  ];
}

async function reviewsTokens(client: KubeClient, claim: string): Promise<Finding> {
  try {
    const { authenticated } = await reviewToken(client, noToken);
    return { claim, holds: !authenticated, seen: "the API server answers its reviews" };
  } catch (error) {
    return { claim, holds: false, seen: (error as Error).message };
  }
}

async function otherNameMayNothing({ host, caPem }: CertificateAccess, deployer: KubeClient): Promise<Finding> {
  const claim = "A certificate for another name reviews nothing";
  const name = `k8sauth-check-${randomBytes(4).toString("hex")}`;
  const { keyPem, csrPem } = await requestFor(name);
  try {
    const certPem = await signedBy(deployer, name, csrPem);
    using other = KubeClient.direct({
      server: host,
      caPem,
      certPem,
      keyPem,
      label: "the certificate for another name",
    });
    return await forbidden(claim, () => reviewToken(other, noToken));
  } catch (error) {
    return { claim, holds: false, seen: (error as Error).message };
  }
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

/** Has the cluster sign a request for ten minutes, and deletes the request again. */
async function signedBy(deployer: KubeClient, name: string, csrPem: string): Promise<string> {
  const apiVersion = "certificates.k8s.io/v1";
  const kind = "CertificateSigningRequest";
  const path = pathFor(apiVersion, kind, undefined, name);
  const made = await deployer.create(pathFor(apiVersion, kind), {
    apiVersion,
    kind,
    metadata: { name },
    spec: {
      request: Buffer.from(csrPem).toString("base64"),
      signerName: "kubernetes.io/kube-apiserver-client",
      usages: ["client auth"],
      expirationSeconds: 600,
    },
  });
  try {
    const message = "k8sauth check: shows that this name has no rights";
    const condition = { type: "Approved", status: "True", reason: "K8sauthCheck", message };
    await deployer.replace(`${path}/approval`, { ...made, status: { conditions: [condition] } });
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
