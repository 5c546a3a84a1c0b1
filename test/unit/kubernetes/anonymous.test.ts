import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { KubeClient, KubeError, loadConnection } from "../../../kubernetes/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { failure, localServer, testCa } from "../../support/server.ts";

const refusal =
  'namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" at the cluster scope';
const identity = makeCertificate({ commonName: "jane", issuer: testCa });
const ecKeyPem = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

function kubeconfig(server: string, user: object): string {
  const data = Buffer.from(testCa.certPem).toString("base64");
  return JSON.stringify({
    "current-context": "dev",
    clusters: [{ name: "c", cluster: { server, "certificate-authority-data": data } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "dev", context: { cluster: "c", user: "u" } }],
  });
}

async function errorOf(client: KubeClient): Promise<KubeError> {
  const error = await client.get("/api/v1/namespaces").then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KubeError);
  return error as KubeError;
}

describe("a request that the API server attributes to system:anonymous", () => {
  const anonymous = () => localServer((_request, response) => failure(response, 403, "Forbidden", refusal));

  test.each([
    ["nothing", {}, /User "u" .*has no credential/],
    [
      "a token",
      { token: "t" },
      /answers an expired or unknown token with 401, so a proxy on the way removes the header/,
    ],
    [
      "a certificate",
      {
        "client-certificate-data": Buffer.from(identity.certPem).toString("base64"),
        "client-key-data": Buffer.from(identity.keyPem).toString("base64"),
      },
      /terminates TLS drops the client certificate of user "u"/,
    ],
    ["an impersonation", { token: "t", as: "system:anonymous" }, /impersonates system:anonymous.*Remove "as"/],
  ])("is an error about %s of the kubeconfig, and no advice to grant anything", async (_what, user, cause) => {
    await using server = await anonymous();
    using client = new KubeClient(await loadConnection({ kubeconfig: kubeconfig(server.url, user) }, {}));
    const error = await errorOf(client);
    expect(error).toMatchObject({ code: "KUBE_ANONYMOUS", status: 403, reason: "Forbidden" });
    expect(error.message).toMatch(cause);
    expect(error.message).not.toMatch(/grant|bind /i);
  });

  test("is an error about a certificate and a key of different types, which TLS does not send", async () => {
    await using server = await anonymous();
    const { certPem } = identity;
    const direct = { server: server.url, caPem: testCa.certPem, certPem, keyPem: ecKeyPem };
    using client = KubeClient.direct(direct);
    expect((await errorOf(client)).message).toMatch(
      /No credential arrived.*TLS did not send the client certificate.*RSA key.*EC key/,
    );
  });
});

test("a refusal of a known user names the one who needs the right", async () => {
  await using server = await localServer((_request, response) =>
    failure(response, 403, "Forbidden", refusal.replace("system:anonymous", "jane")),
  );
  using client = KubeClient.direct({ server: server.url, caPem: testCa.certPem, token: "t" });
  const error = await errorOf(client);
  expect(error.code).toBe("KUBE_FORBIDDEN");
  expect(error.message).toMatch(/Grant this right to "jane"/);
});
