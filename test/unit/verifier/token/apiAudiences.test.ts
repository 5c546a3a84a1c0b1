/** The API server's audiences, learned from the verifier's own token: a caller's token that carries one is good there too. */
import { describe, expect, test } from "vitest";
import { audience, mint } from "../../../support/verifier/tokens.ts";
import { apiServer, apiSettings, Folder, keySettings, until, verifier } from "../../../support/verifier/verifier.ts";

const own = "https://api.cluster.example";
const ownToken = (aud: unknown) => mint({ aud });

describe.each(["hybrid", "oidc-discovery"])("in mode %s", (mode) => {
  test.each<[string, unknown]>([
    ["a list", [own, "second"]],
    ["a text", own],
  ])("a token that carries one of %s is refused", async (_, aud) => {
    using folder = new Folder();
    await using api = await apiServer();
    const settings = apiSettings(api, folder, { mode });
    folder.write("token", ownToken(aud));
    await using one = await verifier(settings);
    expect((await one.ask(mint())).status).toBe(200);
    const { status, body } = await one.ask(mint({ aud: [audience, own] }), { Accept: "application/json" });
    expect({ status, ...JSON.parse(body) }).toMatchObject({ status: 401, reason: "api_audience" });
  });
});

test("a rotated token's audiences apply after it is read again, and an unreadable file changes nothing", async () => {
  using folder = new Folder();
  await using api = await apiServer();
  const settings = apiSettings(api, folder);
  folder.write("token", ownToken([own]));
  await using one = await verifier(settings);
  const both = (jti: string) => mint({ jti, aud: [audience, own] });
  folder.write("token", "no-jwt");
  one.clock?.advance(30_000);
  expect((await one.ask(both("1"))).status).toBe(401);
  folder.write("token", ownToken(["another"]));
  one.clock?.advance(30_000);
  expect((await one.ask(both("2"))).status).toBe(200);
  expect((await one.ask(mint({ aud: [audience, "another"] }))).status).toBe(401);
});

test("a verifier with the API server's audience accepts nothing, and logs the reason", async () => {
  using folder = new Folder();
  await using api = await apiServer();
  const settings = apiSettings(api, folder);
  folder.write("token", ownToken([audience]));
  await using one = await verifier(settings);
  await until(
    () => one.lines.some(({ level, detail }) => level === "error" && String(detail).includes(audience)),
    "it says so",
  );
  expect((await one.ask(mint())).status).toBe(401);
});

test("a verifier without its own token learns none", async () => {
  using folder = new Folder();
  await using one = await verifier(keySettings(folder, { apiTokenFile: `${folder.path}/none` }));
  expect((await one.ask(mint())).status).toBe(200);
});
