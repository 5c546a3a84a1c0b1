import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  ecKey,
  edKey,
  goodKey,
  issuer,
  mint,
  mlDsaKey,
  podClaims,
  rsaKey,
  signRaw,
  strangeKey,
  uids,
} from "../../../support/verifier/tokens.ts";
import { apiServer, apiSettings, Folder, keySettings, until, verifier } from "../../../support/verifier/verifier.ts";

describe("jwt-pubkey", () => {
  test("identifies the caller, as text and in headers", async () => {
    using folder = new Folder();
    await using one = await verifier(keySettings(folder));
    const { status, headers, body } = await one.ask(mint());
    expect({ status, body }).toEqual({ status: 200, body: "system:serviceaccount:team-a:web\n" });
    expect(headers).toMatchObject({
      "x-k8sauth-subject": "system:serviceaccount:team-a:web",
      "x-k8sauth-issuer": issuer,
      "x-k8sauth-audience": "verifier.example",
      "x-k8sauth-namespace": "team-a",
      "x-k8sauth-service-account-name": "web",
      "x-k8sauth-service-account-uid": uids.account,
      "x-k8sauth-pod-name": "web-0",
      "x-k8sauth-pod-uid": uids.pod,
      "x-k8sauth-secret-name": "",
    });
  });

  test("returns all claims as JSON for Accept: application/json", async () => {
    using folder = new Folder();
    await using one = await verifier(keySettings(folder));
    const { headers, body } = await one.ask(mint(), { Accept: "text/html, application/json" });
    expect(headers["content-type"]).toBe("application/json");
    expect(JSON.parse(body)).toEqual({
      sub: "system:serviceaccount:team-a:web",
      iss: issuer,
      aud: ["verifier.example"],
      namespace: "team-a",
      service_account_name: "web",
      service_account_uid: uids.account,
      pod_name: "web-0",
      pod_uid: uids.pod,
      node_name: "node-1",
      node_uid: uids.node,
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
  });

  test("a token bound to a Secret carries its name", async () => {
    using folder = new Folder();
    await using one = await verifier(keySettings(folder));
    const claim = {
      namespace: "team-a",
      serviceaccount: { name: "web", uid: uids.account },
      secret: { name: "bound", uid: "99999999-aaaa-4bbb-8ccc-000000000009" },
    };
    const { headers } = await one.ask(mint({ "kubernetes.io": claim }));
    expect(headers).toMatchObject({ "x-k8sauth-secret-name": "bound", "x-k8sauth-pod-name": "" });
  });

  test.each([
    ["ES256", ecKey()],
    ["ES384", ecKey("P-384", "ES384")],
    ["ES512", ecKey("P-521", "ES512")],
    ["EdDSA", edKey()],
    ["ML-DSA-44", mlDsaKey()],
    ["RS256 of 4096 bits", rsaKey(4096)],
  ])("verifies %s from a PEM file", async (_, key) => {
    using folder = new Folder();
    await using one = await verifier(keySettings(folder, {}, key.publicPem));
    expect((await one.ask(mint({}, key))).status).toBe(200);
  });

  test("accepts several keys, and tokens without a key id", async () => {
    using folder = new Folder();
    const second = ecKey();
    await using one = await verifier(keySettings(folder, {}, `${goodKey.publicPem}\n${second.publicPem}`));
    expect((await one.ask(mint())).status).toBe(200);
    expect((await one.ask(mint({}, second))).status).toBe(200);
    expect((await one.ask(signRaw({ alg: "ES256" }, podClaims(), second))).status).toBe(200);
  });

  test("reads its keys again when the file changes, and refuses tokens of removed keys", async () => {
    using folder = new Folder();
    await using one = await verifier(keySettings(folder));
    const old = mint();
    expect((await one.ask(old)).status).toBe(200);
    folder.write("keys.pem", strangeKey.publicPem);
    one.clock?.advance(11_000);
    expect((await one.ask(mint({}, strangeKey))).status).toBe(200);
    const { status, headers } = await one.ask(old);
    expect(status).toBe(401);
    expect(headers["www-authenticate"]).toContain('error="invalid_token"');
  });
});

test.each<[string, (folder: Folder) => void]>([
  ["is gone", (folder) => rmSync(join(folder.path, "keys.pem"))],
  ["is empty", (folder) => void folder.write("keys.pem", "")],
  ["is half written", (folder) => void folder.write("keys.pem", goodKey.publicPem.slice(0, 100))],
  [
    "is a folder",
    (folder) => {
      rmSync(join(folder.path, "keys.pem"));
      mkdirSync(join(folder.path, "keys.pem"));
    },
  ],
])("jwt-pubkey goes on with its last keys while the file %s, and says so", async (_, breakIt) => {
  using folder = new Folder();
  await using one = await verifier(keySettings(folder));
  breakIt(folder);
  one.clock?.advance(11_000);
  await until(() => one.lines.some(({ msg }) => msg === "the keys could not be refreshed"), "it says so");
  expect((await one.ask(mint({ jti: "fresh" }))).status).toBe(200);
  expect(one.service.unreadyReasons()).toEqual([]);
});

describe("oidc-discovery", () => {
  test("finds the keys by the issuer's document, with its own token and CA", async () => {
    using folder = new Folder();
    await using api = await apiServer();
    await using one = await verifier(
      apiSettings(api, folder, { mode: "oidc-discovery", issuer, discoveryUrl: api.url }),
    );
    expect((await one.ask(mint())).status).toBe(200);
    expect(api.server.requests.every(({ headers }) => headers.authorization === "Bearer own-token")).toBe(true);
    expect(api.reviews).toEqual([]);
  });

  test("learns the issuer from the API server if it is not set", async () => {
    using folder = new Folder();
    await using api = await apiServer();
    await using one = await verifier(apiSettings(api, folder, { mode: "oidc-discovery" }));
    expect((await one.ask(mint())).status).toBe(200);
    expect((await one.ask(mint({ iss: "https://other.example" }))).status).toBe(401);
  });
});

describe("hybrid", () => {
  test("reviews tokens that are valid locally, for their audience", async () => {
    using folder = new Folder();
    await using api = await apiServer();
    await using one = await verifier(apiSettings(api, folder));
    const token = mint();
    expect((await one.ask(token)).status).toBe(200);
    expect(api.reviews).toEqual([{ token, audiences: ["verifier.example"] }]);
  });

  test("does not review tokens that are invalid locally", async () => {
    using folder = new Folder();
    await using api = await apiServer();
    await using one = await verifier(apiSettings(api, folder));
    expect((await one.ask(mint({}, strangeKey, { kid: goodKey.kid }))).status).toBe(401);
    expect((await one.ask(mint({ aud: "other" }))).status).toBe(401);
    expect(api.reviews).toEqual([]);
  });

  test("refuses tokens that the API server refuses", async () => {
    using folder = new Folder();
    await using api = await apiServer();
    api.review = () => ({ authenticated: false, error: "[invalid bearer token, ServiceAccount has been deleted]" });
    await using one = await verifier(apiSettings(api, folder));
    const { status, body, headers } = await one.ask(mint());
    expect(status).toBe(401);
    expect(`${body}${JSON.stringify(headers)}`).not.toContain("invalid bearer token, ");
  });

  test("refuses when review and token disagree about the ServiceAccount", async () => {
    using folder = new Folder();
    await using api = await apiServer();
    const { acceptedStatus } = await import("../../../support/verifier/verifier.ts");
    api.review = (review) => acceptedStatus(review, { uid: "another" });
    await using one = await verifier(apiSettings(api, folder));
    expect((await one.ask(mint())).status).toBe(401);
  });
});

describe("tokenreview", () => {
  test("accepts the API server's decision, and needs no keys", async () => {
    using folder = new Folder();
    await using api = await apiServer([]);
    await using one = await verifier(apiSettings(api, folder, { mode: "tokenreview" }));
    const { status, headers } = await one.ask(mint());
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "x-k8sauth-namespace": "team-a",
      "x-k8sauth-pod-name": "web-0",
      "x-k8sauth-pod-uid": uids.pod,
    });
  });

  test("refuses a token whose review has no audiences", async () => {
    using folder = new Folder();
    await using api = await apiServer([]);
    const { acceptedStatus } = await import("../../../support/verifier/verifier.ts");
    api.review = (review) => ({ ...acceptedStatus(review), audiences: undefined });
    await using one = await verifier(apiSettings(api, folder, { mode: "tokenreview" }));
    expect((await one.ask(mint())).status).toBe(401);
  });

  test("users that are no ServiceAccounts are refused", async () => {
    using folder = new Folder();
    await using api = await apiServer([]);
    const { acceptedStatus } = await import("../../../support/verifier/verifier.ts");
    api.review = (review) => acceptedStatus(review, { username: "alice" });
    await using one = await verifier(apiSettings(api, folder, { mode: "tokenreview" }));
    expect((await one.ask(mint())).status).toBe(401);
  });
});
