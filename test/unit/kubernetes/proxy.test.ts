import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { isUnreachable, KubeClient, KubeError, loadConnection } from "../../../kubernetes/index.ts";
import { environmentProxy } from "../../../kubernetes/transport/proxyRules.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { answer, closedPort, localServer, testCa } from "../../support/server.ts";
import { httpProxy, socksProxy } from "./proxies.ts";

const token = "s3cret-token-of-the-deployer";
const host = "api.internal";
const identity = makeCertificate({ commonName: "server", issuer: testCa, names: [host] });
const server = () => localServer((_request, response) => answer(response, 200, { ok: true }), identity);
const url = ({ port }: { readonly port: number }) => `https://${host}:${port}`;

function kubeconfig(clusterUrl: string, proxy: string): string {
  const data = Buffer.from(testCa.certPem).toString("base64");
  return JSON.stringify({
    "current-context": "k",
    contexts: [{ name: "k", context: { cluster: "k", user: "k" } }],
    users: [{ name: "k", user: { token } }],
    clusters: [{ name: "k", cluster: { server: clusterUrl, "certificate-authority-data": data, "proxy-url": proxy } }],
  });
}

async function failureOf(work: Promise<unknown>): Promise<KubeError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KubeError);
  expect((error as KubeError).message).not.toContain("s3cret");
  return error as KubeError;
}

const through = (clusterUrl: string, HTTPS_PROXY: string, timeoutMs = 10_000) =>
  KubeClient.direct({ server: clusterUrl, caPem: testCa.certPem, token }, { timeoutMs }, { HTTPS_PROXY });

test("variables in capitals are read before those in small letters", () => {
  const both = { HTTPS_PROXY: "http://a", https_proxy: "http://b", NO_PROXY: "", no_proxy: "c.example" };
  expect(environmentProxy("d.example", 443, both)?.hostname).toBe("a");
  expect(environmentProxy("c.example", 443, both)).toBeUndefined();
  expect(environmentProxy("d.example", 443, { https_proxy: "http://b" })?.hostname).toBe("b");
  expect(environmentProxy("d.example", 443, { HTTP_PROXY: "http://b" })).toBeUndefined();
});

describe("requests go through", () => {
  const caBefore = getCACertificates("default");
  afterEach(() => setDefaultCACertificates(caBefore));

  test.each([
    ["an HTTP proxy", "http://"],
    ["an HTTP proxy without a scheme", ""],
  ])("%s", async (_what, scheme) => {
    await using target = await server();
    await using proxy = await httpProxy(target.port);
    using client = through(url(target), `${scheme}jane:s3cret%21@127.0.0.1:${proxy.port}`);
    expect(await client.get("/x")).toEqual({ ok: true });
    expect(proxy.tunnels).toEqual([`${host}:${target.port}`]);
    expect(proxy.logins).toEqual(["jane:s3cret!"]);
  });

  test.each([["socks5"], ["socks5h"]])("a SOCKS 5 proxy (%s), which resolves the name", async (scheme) => {
    await using target = await server();
    await using proxy = await socksProxy(target.port);
    using client = through(url(target), `${scheme}://127.0.0.1:${proxy.port}`);
    expect(await client.get("/x")).toEqual({ ok: true });
    expect(proxy.tunnels).toEqual([`${host}:${target.port}`]);
    using known = through(url(target), `${scheme}://jane:s3cret@127.0.0.1:${proxy.port}`);
    expect(await known.get("/x")).toEqual({ ok: true });
    expect(proxy.logins).toEqual(["jane:s3cret"]);
  });

  test("an HTTPS proxy with a certificate of a CA of this machine, or of the API server's CA", async () => {
    await using target = await server();
    const ownCa = makeCertificate({ commonName: "proxy-ca" });
    await using own = await httpProxy(
      target.port,
      "200 OK",
      makeCertificate({ commonName: "proxy", issuer: ownCa, names: ["127.0.0.1"] }),
    );
    using client = through(url(target), `https://127.0.0.1:${own.port}`);
    const error = await failureOf(client.get("/x"));
    expect(error.code).toBe("KUBE_PROXY_UNREACHABLE");
    expect(error.message).toMatch(/UNABLE_TO_GET_ISSUER_CERT_LOCALLY/);
    setDefaultCACertificates([...caBefore, ownCa.certPem]);
    expect(await client.get("/x")).toEqual({ ok: true });
    setDefaultCACertificates(caBefore);
    await using clusters = await httpProxy(
      target.port,
      "200 OK",
      makeCertificate({ commonName: "proxy", issuer: testCa, names: ["127.0.0.1"] }),
    );
    using shared = through(url(target), `https://127.0.0.1:${clusters.port}`);
    expect(await shared.get("/x")).toEqual({ ok: true });
  });

  test("one connection that stays open", async () => {
    await using target = await server();
    await using proxy = await httpProxy(target.port);
    using client = through(url(target), `http://127.0.0.1:${proxy.port}`);
    await client.get("/x");
    await client.get("/y");
    expect(proxy.tunnels).toEqual([`${host}:${target.port}`]);
  });

  test.each(["http", "socks5"])(
    "the kubeconfig's own proxy (%s), loopback addresses and NO_PROXY included",
    async (scheme) => {
      await using target = await localServer((_request, response) => answer(response, 200, { ok: true }));
      await using proxy = await (scheme === "http" ? httpProxy(target.port) : socksProxy(target.port));
      const content = kubeconfig(target.url, `${scheme}://127.0.0.1:${proxy.port}`);
      using client = new KubeClient(await loadConnection({ kubeconfig: content }, { NO_PROXY: "*" }));
      expect(await client.get("/x")).toEqual({ ok: true });
      expect(proxy.tunnels).toEqual([`127.0.0.1:${target.port}`]);
    },
  );

  test("no proxy to an address of this machine", async () => {
    await using target = await localServer((_request, response) => answer(response, 200, { ok: true }));
    using client = through(target.url, `http://127.0.0.1:${await closedPort()}`);
    expect(await client.get("/x")).toEqual({ ok: true });
  });
});

describe("a failure of the proxy is called one", () => {
  test.each([
    ["403 Forbidden", /refused to connect to api\.internal:6443 \(403 Forbidden\)/],
    ["407 Proxy Authentication Required", /\(407 .*Set the proxy's user and password/],
    ["502 Bad Gateway", /\(502 Bad Gateway\)/],
  ])("that answers %s", async (status, message) => {
    await using proxy = await httpProxy(0, status);
    using client = through(`https://${host}:6443`, `http://jane:s3cret@127.0.0.1:${proxy.port}`);
    const error = await failureOf(client.get("/x"));
    expect(error.code).toBe("KUBE_PROXY_REFUSED");
    expect(error.message).toMatch(message);
    expect(isUnreachable(error)).toBe(true);
  });

  test.each(["http", "https", "socks5"])("that does not listen (%s)", async (scheme) => {
    const port = await closedPort();
    using client = through(`https://${host}:6443`, `${scheme}://127.0.0.1:${port}`);
    const error = await failureOf(client.get("/x"));
    expect(error.code).toBe("KUBE_PROXY_UNREACHABLE");
    expect(error.message).toContain(`through the proxy ${scheme}://127.0.0.1:${port} failed: ECONNREFUSED`);
  });

  test("that speaks another protocol", async () => {
    await using proxy = await httpProxy(0);
    using client = through(`https://${host}:6443`, `socks5://127.0.0.1:${proxy.port}`);
    expect((await failureOf(client.get("/x"))).code).toBe("KUBE_PROXY_UNREACHABLE");
  });

  test("that never answers", async () => {
    await using proxy = await httpProxy(0, "");
    using client = through(`https://${host}:6443`, `http://127.0.0.1:${proxy.port}`, 300);
    const error = await failureOf(client.get("/x"));
    expect(error.code).toBe("KUBE_PROXY_UNREACHABLE");
    expect(error.message).toContain("opened no connection");
  });

  test.each(["ftp://proxy.example", "http://", "http://[x"])("that is none: %s", async (value) => {
    using client = through(`https://${host}:6443`, value);
    expect((await failureOf(client.get("/x"))).code).toBe("KUBE_PROXY_INVALID");
    const own = loadConnection({ kubeconfig: kubeconfig(`https://${host}`, value) }, {});
    expect((await failureOf(own)).code).toBe("KUBE_PROXY_INVALID");
  });
});
