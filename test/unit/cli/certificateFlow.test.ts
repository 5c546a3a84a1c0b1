import { expect, test } from "vitest";
import { checkCertificateFlow } from "../../../cli/checks/certificateFlow.ts";
import { KubeClient } from "../../../kubernetes/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { answer, failure, type Handler, localServer, testCa } from "../../support/server.ts";

/** The finding about the certificate of `gateway`, at an API server that answers a SelfSubjectReview in this way. */
async function firstFinding(selfReview: Handler) {
  await using server = await localServer((request, response) => {
    if (request.url?.endsWith("/selfsubjectreviews")) selfReview(request, response);
    else if (request.url?.endsWith("/tokenreviews")) answer(response, 201, { status: { authenticated: false } });
    else if (request.url?.endsWith("/selfsubjectaccessreviews")) answer(response, 201, { status: { allowed: false } });
    else failure(response, 403, "Forbidden", `User "gateway" cannot ${request.method} ${request.url}`);
  });
  const { certPem, keyPem } = makeCertificate({ commonName: "gateway" });
  using deployer = KubeClient.direct({ server: server.url, caPem: testCa.certPem, token: "t" });
  const access = { host: server.url, caPem: testCa.certPem, certificatePem: certPem, privateKeyPem: keyPem };
  const [finding] = await checkCertificateFlow({ ...access, issuer: "", audience: "" }, "gateway", deployer);
  return finding;
}

const forbidden =
  'selfsubjectreviews.authentication.k8s.io is forbidden: User "gateway" cannot create resource "selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope';

const named =
  (username: string): Handler =>
  (_request, response) =>
    answer(response, 201, { status: { userInfo: { username } } });

test("a certificate that is another user's for the API server does not hold", async () => {
  expect(await firstFinding(named("somebody"))).toMatchObject({
    holds: false,
    seen: 'the API server calls its user "somebody"',
  });
});

test.each<[string, Handler]>([
  ["names the subject", named("gateway")],
  ["is older than 1.28", (_request, response) => failure(response, 404, "NotFound", "not found")],
  ["does not let it ask who it is", (_request, response) => failure(response, 403, "Forbidden", forbidden)],
])("a certificate that reviews tokens holds at an API server that %s", async (_what, selfReview) => {
  expect(await firstFinding(selfReview)).toMatchObject({ holds: true, seen: "the API server answers its reviews" });
});
