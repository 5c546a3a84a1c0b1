import { describe, expect, test } from "vitest";
import { goodKey, mint, rsaKey, strangeKey } from "../../../support/verifier/tokens.ts";
import { apiServer, apiSettings, Folder, verifier } from "../../../support/verifier/verifier.ts";

describe("several issuers", () => {
  test("each has its own keys, audience and rules", async () => {
    using folder = new Folder();
    const issuers = [
      {
        name: "a",
        issuer: "https://a",
        audience: ["for-a"],
        publicKeyFile: [folder.write("a.pem", goodKey.publicPem)],
        allow: ["team-a/*"],
      },
      {
        name: "b",
        issuer: "https://b",
        audience: ["for-b"],
        publicKeyFile: [folder.write("b.pem", strangeKey.publicPem)],
        allow: ["team-b/*"],
      },
    ];
    await using one = await verifier({ mode: "jwt-pubkey", issuers });
    const statusOf = async (claims: Record<string, unknown>, key = goodKey) =>
      (await one.ask(mint(claims, key))).status;
    expect(await statusOf({ iss: "https://a", aud: "for-a" })).toBe(200);
    expect(await statusOf({ iss: "https://a", aud: "for-b" })).toBe(401);
    expect(await statusOf({ iss: "https://b", aud: "for-b" })).toBe(401);
    expect(await statusOf({ iss: "https://a", aud: "for-a" }, strangeKey)).toBe(401);
    expect(await statusOf({ iss: "https://b", aud: "for-b" }, strangeKey)).toBe(403);
    expect(await statusOf({ iss: "https://c", aud: "for-a" })).toBe(401);
  });

  test("each has its own mode and API server: reviews go to the one whose token it is, and an outage is that one's alone", async () => {
    using folder = new Folder();
    const elsewhere = rsaKey();
    await using home = await apiServer();
    await using other = await apiServer([]);
    await using publisher = await apiServer([elsewhere]);
    const own = apiSettings(home, folder) as Record<string, unknown>;
    const issuers = [
      // Its name is learned from the API server.
      { name: "home", ...own, audience: "for-home", allow: ["*/*"] },
      {
        name: "other",
        mode: "tokenreview",
        issuer: "https://other",
        audience: "for-other",
        allow: ["*/*"],
        ...own,
        apiServer: other.url,
      },
      {
        name: "elsewhere",
        mode: "oidc-discovery",
        issuer: "https://elsewhere",
        jwksUri: `${publisher.url}/openid/v1/jwks`,
        caFile: own.apiCaFile,
        audience: "for-elsewhere",
        allow: ["*/*"],
      },
    ];
    await using one = await verifier({ issuers, reviewCacheSeconds: 0, localCacheSeconds: 0 });
    const tokens = {
      home: () => mint({ aud: "for-home" }),
      other: () => mint({ iss: "https://other", aud: "for-other" }, strangeKey),
      elsewhere: () => mint({ iss: "https://elsewhere", aud: "for-elsewhere" }, elsewhere),
    };
    const statuses = async () => Promise.all(Object.values(tokens).map(async (make) => (await one.ask(make())).status));
    expect(await statuses()).toEqual([200, 200, 200]);
    expect(home.reviews.map(({ audiences }) => audiences)).toEqual([["for-home"]]);
    expect(other.reviews.map(({ audiences }) => audiences)).toEqual([["for-other"]]);
    expect(publisher.server.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    // A key of one is no key of another, whatever the token says. One look at the issuer's keys may come a second after the last.
    const pump = setInterval(() => one.clock?.advance(20), 1);
    expect((await one.ask(mint({ aud: "for-home" }, elsewhere))).status).toBe(401);
    expect((await one.ask(mint({ iss: "https://elsewhere", aud: "for-elsewhere" }, goodKey))).status).toBe(401);
    expect((await one.ask(mint({ iss: "https://unknown.example", aud: "for-home" }))).status).toBe(401);
    clearInterval(pump);
    other.outage = 500;
    expect(await statuses()).toEqual([200, 503, 200]);
    home.outage = 500;
    expect(await statuses()).toEqual([503, 503, 200]);
  });
});
