/** The choice of a proxy, compared with that of a client in Go. */
import { describe, expect, test } from "vitest";
import { environmentProxy } from "../../../kubernetes/transport/proxyRules.ts";
import { askGo } from "../../goClient/index.ts";

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
});
