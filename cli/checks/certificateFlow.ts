import type { CertificateAccess } from "../../gateways/index.ts";
import type { Finding } from "../../kubernetes/finding.ts";
import { KubeClient } from "../../kubernetes/index.ts";
import { attributedUser, reviewToken } from "../../kubernetes/reviews.ts";
import { forbidden, readsNoSecrets } from "./forbidden.ts";
import { ifPermitted } from "./permitted.ts";
import { sampleCertificate, sampleCertificateRights } from "./sampleCertificate.ts";

/** Not a token. The API server reviews it for any user who may create TokenReviews, and answers that it is not authenticated. */
const noToken = "k8sauth-check";

const otherName = "A certificate for another name reviews nothing";

/**
 * Proves a client certificate by calls that a gateway makes: it is the subject's, it reviews tokens, and it reads no Secrets. A certificate for another name, which
 * is signed for the check, reviews no tokens. If the deployer may not request and approve that one, a finding with the missing rights
 * replaces this proof.
 */
export async function checkCertificateFlow(
  access: CertificateAccess,
  subject: string,
  deployer: KubeClient,
): Promise<Finding[]> {
  const { host, caPem, certificatePem, privateKeyPem } = access;
  const label = "the client certificate";
  using client = KubeClient.direct({ server: host, caPem, certPem: certificatePem, keyPem: privateKeyPem, label });
  const itself = await reviewsTokens(client, subject);
  if (!itself.holds) return [itself];
  return [
    itself,
    await readsNoSecrets(client, "The certificate reads no Secrets"),
    ...(await ifPermitted(deployer, {
      claim: otherName,
      rights: sampleCertificateRights,
      prove: async () => [await otherNameIsForbidden(access, deployer)],
    })),
  ];
}

/** The API server answers the client's TokenReviews, and names the subject as its user if it names one. */
async function reviewsTokens(client: KubeClient, subject: string): Promise<Finding> {
  const claim = `The certificate of ${subject} reviews tokens`;
  try {
    const { authenticated } = await reviewToken(client, noToken);
    const { username = subject } = await attributedUser(client);
    if (username !== subject) {
      return { claim, holds: false, seen: `the API server calls its user ${JSON.stringify(username)}` };
    }
    return { claim, holds: !authenticated, seen: "the API server answers its reviews" };
  } catch (error) {
    return { claim, holds: false, seen: (error as Error).message };
  }
}

async function otherNameIsForbidden({ host, caPem }: CertificateAccess, deployer: KubeClient): Promise<Finding> {
  try {
    const { certPem, keyPem } = await sampleCertificate(deployer);
    using other = KubeClient.direct({
      server: host,
      caPem,
      certPem,
      keyPem,
      label: "the certificate for another name",
    });
    return await forbidden(otherName, () => reviewToken(other, noToken));
  } catch (error) {
    return { claim: otherName, holds: false, seen: (error as Error).message };
  }
}
