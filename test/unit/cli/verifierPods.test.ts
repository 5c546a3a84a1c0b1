import { expect, test } from "vitest";
import { checkVerifierPods } from "../../../cli/checks/verifierPods.ts";
import { KubeClient } from "../../../kubernetes/index.ts";
import { answer, localServer, testCa } from "../../support/server.ts";

const verifier = { namespace: "auth", url: "https://verifier.auth.svc:8080" };
const message =
  'deployments.apps "verifier" is forbidden: User "jane" cannot get resource "deployments" in API group "apps" in the namespace "auth"';
const forbidden = { kind: "Status", reason: "Forbidden", code: 403, message };
const claim = "the verifier's pods are ready";

test.each([
  [200, { spec: { replicas: 2 }, status: { readyReplicas: 2 } }, true, "2 of 2"],
  [200, { spec: { replicas: 2 }, status: { readyReplicas: 1 } }, false, "1 of 2"],
  [200, { spec: { replicas: 2 }, status: {} }, false, "0 of 2"],
  [404, { kind: "Status", reason: "NotFound", code: 404 }, false, "there is no Deployment auth/verifier"],
  [403, forbidden, null, "not checked: `get` is forbidden for Deployment auth/verifier"],
])("an answer of %s with %o is a finding", async (status, body, holds, seen) => {
  await using server = await localServer((_request, response) => answer(response, status, body));
  using client = KubeClient.direct({ server: server.url, caPem: testCa.certPem, token: "t" });
  expect(await checkVerifierPods({ verifier }, client)).toEqual([{ claim, holds, seen }]);
  expect(server.requests.map(({ url }) => url)).toEqual(["/apis/apps/v1/namespaces/auth/deployments/verifier"]);
});

test("a stack without a verifier has no finding, and no request is sent", async () => {
  using client = KubeClient.direct({ server: "https://127.0.0.1:1", caPem: testCa.certPem, token: "t" });
  expect(await checkVerifierPods({ verifier: {} }, client)).toEqual([]);
  expect(await checkVerifierPods({}, client)).toEqual([]);
});
