import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { KubeClient } from "../../kubernetes/index.ts";
import { makeCertificate } from "../../sandbox/cluster/certificate.ts";
import { ServiceClient } from "../../verifier/client/client.ts";
import { systemClock } from "../../verifier/clock.ts";
import { HttpsClient } from "../../verifier/net/httpsClient.ts";
import { answer, type LocalServer, localServer, testCa } from "../support/server.ts";
import { Folder } from "../support/verifier/verifier.ts";
import { httpProxy } from "./kubernetes/proxies.ts";

/** A CA that did not sign the servers' certificates. */
const otherCa = makeCertificate({ commonName: "other-ca" }).certPem;

beforeAll(() => void vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0"));
afterAll(() => void vi.unstubAllEnvs());

/** Fails to connect to a server of another CA, which must see no request and so no credential. */
async function refused(code: string, connect: (server: LocalServer) => Promise<unknown>): Promise<void> {
  await using server = await localServer((_request, response) => answer(response, 200, {}));
  await expect(connect(server)).rejects.toMatchObject({ code });
  expect(server.requests).toEqual([]);
}

test("the plugin and the commands verify the API server", async () => {
  await refused("KUBE_TLS_UNTRUSTED", async ({ url }) => {
    using client = KubeClient.direct({ server: url, caPem: otherCa, token: "t" });
    await client.get("/x");
  });
});

test("they verify the API server behind a proxy", async () => {
  await refused("KUBE_TLS_UNTRUSTED", async ({ port }) => {
    await using proxy = await httpProxy(port);
    const connection = { server: `https://api.internal:${port}`, caPem: otherCa, token: "t" };
    using client = KubeClient.direct(connection, {}, { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` });
    await client.get("/x");
  });
});

test("they verify a proxy", async () => {
  await refused("KUBE_PROXY_UNREACHABLE", async ({ port }) => {
    const identity = makeCertificate({ commonName: "proxy", issuer: testCa, names: ["127.0.0.1"] });
    await using proxy = await httpProxy(port, "200 OK", identity);
    const connection = { server: `https://api.internal:${port}`, caPem: otherCa, token: "t" };
    using client = KubeClient.direct(connection, {}, { HTTPS_PROXY: `https://jane:s3cret@127.0.0.1:${proxy.port}` });
    await client.get("/x").finally(() => expect(proxy.logins).toEqual([]));
  });
});

test("the verifier verifies the issuer and the API server", async () => {
  await refused("NET_TLS", async ({ url }) => {
    using folder = new Folder();
    const client = new HttpsClient({ url, caFile: folder.write("ca", otherCa), tokenFile: undefined }, systemClock);
    await client.send({ method: "GET", url, timeoutMs: 2_000, maxBytes: 100 }).finally(() => client.close());
  });
});

test("the client of services verifies the service", async () => {
  await refused("CLIENT_UNREACHABLE", async ({ url }) => {
    using folder = new Folder();
    const files = { tokenFile: folder.write("token", "t"), caFile: folder.write("ca", otherCa) };
    using client = new ServiceClient({ url, ...files, attempts: 1 });
    await client.call();
  });
});
