import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { isUnreachable, KubeClient, KubeError, loadConnection } from "../../../kubernetes/index.ts";
import { environmentProxy } from "../../../kubernetes/transport/proxyRules.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { askGo } from "../../goClient/index.ts";
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

describe("the choice of a proxy is Go's", () => {
  const proxy = "http://proxy.example:3128";
  const servers = [
    "https://api.example.com:6443",
    "https://example.com",
    "https://API.EXAMPLE.COM",
    "https://notexample.com",
    "https://10.1.2.3:6443",
    "https://10.1.2.3",
    "https://172.16.0.1",
    "https://[2001:db8::1]:6443",
    "https://[::ffff:10.1.2.3]",
    "https://127.0.0.1:6443",
    "https://127.9.9.9",
    "https://[::1]:6443",
    "https://[::ffff:127.0.0.1]",
    "https://localhost:6443",
    "https://localhost.:6443",
    "https://a.localhost:6443",
    "https://xn--bcher-kva.example",
  ];
  const lists = [
    "",
    "*",
    "example.com",
    ".example.com",
    "*.example.com",
    " Example.COM , other",
    "api.example.com:6443",
    "api.example.com:443",
    "example.com:443,x",
    "example.com:",
    ":6443",
    "10.0.0.0/8",
    "10.1.2.3/8",
    "10.1.2.3",
    "10.1.2.3:6443",
    "10.1.2.3:443",
    "10.*",
    "10.1.2",
    "010.1.2.3",
    "10.0.0.0/33",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "2001:db8::1",
    "[2001:db8::1]",
    "[2001:db8::1]:6443",
    "::ffff:10.1.2.3",
    "bücher.example",
    "com",
    "localhost",
    "1.2.3.4 10.0.0.0/8",
  ];
  const values = [
    proxy,
    "proxy.example:3128",
    "proxy.example",
    "10.0.0.1:3128",
    "[2001:db8::1]:3128",
    "https://proxy.example",
    "socks5://proxy.example:1080",
    "socks5h://proxy.example",
    "HTTP://proxy.example:3128",
    "user:pass@proxy.example:3128",
    "http://user:pass@proxy.example:3128/path",
  ];

  function ours(serverUrl: string, httpsProxy: string, noProxy: string): string {
    const { hostname, port } = new URL(serverUrl);
    const bare = hostname.replace(/^\[|\]$/g, "");
    const chosen = environmentProxy(bare, Number(port) || 443, { HTTPS_PROXY: httpsProxy, NO_PROXY: noProxy });
    return chosen === undefined ? "" : `${chosen.protocol}//${chosen.host}`;
  }

  test("for every server with every NO_PROXY", { timeout: 120_000 }, async () => {
    const cases = servers.flatMap((serverUrl) =>
      lists.map((noProxy) => ({ server: serverUrl, noProxy, httpsProxy: proxy })),
    );
    const { proxies } = await askGo({ proxies: cases });
    const told = cases.map((one, index) => ({ ...one, chosen: proxies[index] }));
    expect(cases.map((one) => ({ ...one, chosen: ours(one.server, one.httpsProxy, one.noProxy) }))).toEqual(told);
    expect(new Set(proxies)).toEqual(new Set(["", proxy]));
  });

  test("for every way to write it", { timeout: 120_000 }, async () => {
    const cases = values.map((httpsProxy) => ({ server: "https://api.example.com", noProxy: "", httpsProxy }));
    const { proxies } = await askGo({ proxies: cases });
    const told = cases.map(({ httpsProxy }, index) => [httpsProxy, proxies[index]]);
    expect(cases.map((one) => [one.httpsProxy, ours(one.server, one.httpsProxy, one.noProxy)])).toEqual(told);
    expect(proxies).not.toContain("");
  });

  test("with variables in capitals before those in small letters", () => {
    const both = { HTTPS_PROXY: "http://a", https_proxy: "http://b", NO_PROXY: "", no_proxy: "c.example" };
    expect(environmentProxy("d.example", 443, both)?.hostname).toBe("a");
    expect(environmentProxy("c.example", 443, both)).toBeUndefined();
    expect(environmentProxy("d.example", 443, { https_proxy: "http://b" })?.hostname).toBe("b");
    expect(environmentProxy("d.example", 443, { HTTP_PROXY: "http://b" })).toBeUndefined();
  });
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
