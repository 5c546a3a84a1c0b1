import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { KubeClient, KubeError, type KubeErrorCode } from "../../../kubernetes/index.ts";
import { failure, type LocalServer, localServer, testCa } from "../../support/server.ts";

const token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0aGUtcmVhbC1zZWNyZXQifQ.c2lnbmF0dXJl";

async function errorOf({ url }: LocalServer): Promise<KubeError> {
  using client = KubeClient.direct({ server: url, caPem: testCa.certPem, token }, { attempts: 1 });
  const error = await client.create("/api/v1/namespaces/apps/secrets", {}).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KubeError);
  expect((error as KubeError).message).not.toContain("eyJ");
  return error as KubeError;
}

const forbidden = (message: string) =>
  localServer((_request, response) => failure(response, 403, "Forbidden", message));
const plain = (status: number, body: string, headers: Record<string, string> = {}) =>
  localServer((_request, response: ServerResponse) => {
    response.writeHead(status, headers);
    response.end(body);
  });

describe("a 403", () => {
  test.each([
    [
      "of RBAC",
      'secrets is forbidden: User "jane" cannot create resource "secrets" in API group "" in the namespace "apps"',
      /Grant this right to "jane"/,
    ],
    [
      "of RBAC for a path",
      'forbidden: User "system:serviceaccount:a:b" cannot get path "/version"',
      /Grant this right to "system:serviceaccount:a:b"/,
    ],
    [
      "of the escalation check",
      'roles.rbac.authorization.k8s.io "x" is forbidden: user "jane" (groups=["a"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
      /Grant the right that the message names/,
    ],
    [
      "of the approval of certificates",
      'certificatesigningrequests.certificates.k8s.io "x" is forbidden: user not permitted to approve requests with signerName "a/b"',
      /Grant the right that the message names/,
    ],
  ])("%s is a missing right", async (_what, message, remedy) => {
    await using server = await forbidden(message);
    const error = await errorOf(server);
    expect(error.code).toBe("KUBE_FORBIDDEN");
    expect(error.message).toMatch(remedy);
  });

  test.each([
    [
      "of a quota",
      'secrets "x" is forbidden: exceeded quota: few, requested: secrets=1, used: secrets=3, limited: secrets=3',
      /^A ResourceQuota denied POST \/api\/v1\/namespaces\/apps\/secrets.*exceeded quota: few/,
    ],
    [
      "of a webhook",
      'admission webhook "validate.kyverno.svc" denied the request: User "jane" cannot do this on Fridays',
      /^An admission webhook denied .*on Fridays/,
    ],
    [
      "of a policy",
      "secrets \"x\" is forbidden: ValidatingAdmissionPolicy 'labels' with binding 'all' denied request: a label is missing",
      /^An admission policy denied .*a label is missing/,
    ],
    [
      "of Pod Security",
      'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
      /^Pod Security admission denied .*runAsNonRoot/,
    ],
    [
      "of a namespace that goes",
      'secrets "x" is forbidden: unable to create new content in namespace apps because it is being terminated',
      /^The namespace is being deleted/,
    ],
    [
      "of another kind",
      "the cluster is frozen",
      /^The API server or an admission plugin denied .*the cluster is frozen/,
    ],
  ])("%s is a denial in its own words, without advice to grant", async (_what, message, expected) => {
    await using server = await forbidden(message);
    const error = await errorOf(server);
    expect(error.code).toBe("KUBE_DENIED");
    expect(error.message).toMatch(expected);
    expect(error.message).not.toMatch(/grant/i);
  });

  test.each([
    ["a page", "<html>Request blocked. Support ID 123</html>", { "Content-Type": "text/html" }],
    ["other JSON", '{"message":"Forbidden"}', { "Content-Type": "application/json" }],
    ["nothing", "", {}],
  ])("with %s does not come from an API server", async (_what, body, headers) => {
    await using server = await plain(403, body, headers as Record<string, string>);
    const error = await errorOf(server);
    expect(error.code).toBe("KUBE_DENIED");
    expect(error.message).toMatch(/not an API server .* denied POST/);
    expect(error.message).not.toMatch(/grant|Support/i);
  });
});

describe("an answer without a Status", () => {
  test.each<[string, number, string, Record<string, string>, KubeErrorCode, RegExp]>([
    ["an empty 302", 302, "", {}, "KUBE_REDIRECT", /redirects POST .*\(status 302\)/],
    [
      "a redirect to a login page",
      302,
      "",
      { Location: `https://login.example/start?state=${token}` },
      "KUBE_REDIRECT",
      /redirects POST .* to https:\/\/login\.example\/start \(status 302\)/,
    ],
    [
      "a 429 in plain text, as an API server under load gives it",
      429,
      "Too many requests, please try again later.\n",
      { "Content-Type": "text/plain" },
      "KUBE_TOO_MANY_REQUESTS",
      /The server is overloaded/,
    ],
  ])("%s", async (_what, status, body, headers, code, message) => {
    await using server = await plain(status, body, headers);
    const error = await errorOf(server);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.status).toBe(status);
  });
});
