/** Keys of an issuer beyond a proxy: HTTPS_PROXY for discovery, and never for the API server. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import type { Config } from "../../../verifier/config/config.ts";
import { loadConfig } from "../../../verifier/config/load.ts";
import { testCa } from "../../support/server.ts";
import { audience, issuer, mint } from "../../support/verifier/tokens.ts";
import { apiServer, apiSettings, Folder, until, verifier } from "../../support/verifier/verifier.ts";

interface Tunnels extends AsyncDisposable {
  readonly url: string;
  /** Servers that tunnels were asked for, and the credentials that came along. */
  readonly asked: { readonly target: string; readonly authorization: string | undefined }[];
  /** Answered in place of a tunnel while it is set. */
  refuses: number | undefined;
}

/** A proxy that opens tunnels to servers of this machine, whatever their names are. */
async function proxy(): Promise<Tunnels> {
  const sockets = new Set<Socket>();
  const server = createServer();
  const tunnels: Tunnels = {
    url: "",
    asked: [],
    refuses: undefined,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  server.on("connect", (request, client) => {
    tunnels.asked.push({ target: request.url ?? "", authorization: request.headers["proxy-authorization"] });
    if (tunnels.refuses !== undefined) return void client.end(`HTTP/1.1 ${tunnels.refuses} No\r\n\r\n`);
    const upstream = connect(Number(request.url?.split(":")[1]), "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [client as Socket, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(tunnels, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

const elsewhere = (url: string) => url.replace("127.0.0.1", "localhost");

describe("an issuer beyond a proxy", () => {
  test("is reached through it, and the API server is not", async () => {
    using folder = new Folder();
    await using tunnels = await proxy();
    await using api = await apiServer([]);
    await using publisher = await apiServer();
    const settings = apiSettings(api, folder, {
      issuer,
      jwksUri: `${elsewhere(publisher.url)}/openid/v1/jwks`,
      caFile: folder.write("issuer.crt", testCa.certPem),
      httpsProxy: tunnels.url,
    });
    await using one = await verifier(settings);
    expect((await one.ask(mint())).status).toBe(200);
    expect(api.reviews).toHaveLength(1);
    expect(tunnels.asked).toEqual([{ target: new URL(elsewhere(publisher.url)).host, authorization: undefined }]);
  });

  test("is named with the proxy's refusal, without the proxy's user", async () => {
    using folder = new Folder();
    await using tunnels = await proxy();
    await using publisher = await apiServer();
    tunnels.refuses = 407;
    const settings = { mode: "oidc-discovery", issuer, jwksUri: `${elsewhere(publisher.url)}/openid/v1/jwks` };
    const env = { HTTPS_PROXY: tunnels.url.replace("//", "//user:secret@") };
    await using one = await verifier(
      { ...settings, caFile: folder.write("ca", testCa.certPem) },
      { unready: true, env },
    );
    await until(() => one.lines.some(({ code }) => code === "NET_PROXY"), "the proxy is named");
    expect(tunnels.asked[0]?.authorization).toBe(`Basic ${btoa("user:secret")}`);
    expect(JSON.stringify([one.lines, one.service.unreadyReasons()])).not.toMatch(/user|secret/);
  });
});

describe("the proxy's settings", () => {
  const load = (more: object, env: NodeJS.ProcessEnv = {}): Config => {
    const settings = { mode: "oidc-discovery", issuer, audience, ...more };
    return loadConfig({ args: ["--config", "f"], env, readFile: () => JSON.stringify(settings) });
  };
  const proxyOf = ({ issuers: [first] }: Config) =>
    first?.keys && first.keys.kind !== "files" ? first.keys.endpoint.proxy : undefined;
  test("come from the environment as other programs read it, and the file wins", () => {
    const env = { HTTPS_PROXY: "http://upper:1", https_proxy: "http://lower:1", NO_PROXY: ".local" };
    expect(proxyOf(load({}))).toBeUndefined();
    expect(proxyOf(load({}, env))).toEqual({ url: "http://lower:1", except: ".local" });
    expect(proxyOf(load({ httpsProxy: "http://own:1", noProxy: ["a", "b"] }, env))).toEqual({
      url: "http://own:1",
      except: "a,b",
    });
  });
  test("are for no API server", () => {
    const env = { HTTPS_PROXY: "http://upper:1", KUBERNETES_SERVICE_HOST: "10.0.0.1" };
    for (const more of [
      { mode: "hybrid" },
      { issuer: "https://kubernetes.default.svc" },
      { discoveryUrl: "https://10.0.0.1:443" },
    ])
      expect(proxyOf(load(more, env))).toBeUndefined();
  });
  test.each([
    ["no URL", { httpsProxy: "proxy:3128" }],
    ["a user in the file", { httpsProxy: "http://user:secret@proxy:3128" }],
    ["SOCKS", { httpsProxy: "socks5://proxy:1080" }],
  ])("%s is refused without being repeated", (_, more) => {
    expect(() => load(more)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(() => load(more)).not.toThrow(/secret|user:/);
  });
});
