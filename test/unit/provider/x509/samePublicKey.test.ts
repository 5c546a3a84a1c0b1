import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { KubeClient } from "../../../../kubernetes/index.ts";
import { samePublicKey } from "../../../../provider/x509/samePublicKey.ts";
import { answer, localServer, testCa } from "../../../support/server.ts";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
const ec = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
const one = ec();

test("a key is the same as itself, and as no other", () => {
  expect([samePublicKey(one, one), samePublicKey(one, ec()), samePublicKey(rsa, one)]).toEqual([true, false, false]);
});

test("connections survive a comparison of keys of different types", async () => {
  await using server = await localServer((_request, response) => answer(response, 200, {}));
  using client = KubeClient.direct({ server: server.url, caPem: testCa.certPem, token: "t" });
  await client.get("/version");
  expect(samePublicKey(rsa, one)).toBe(false);
  await expect(client.request("DELETE", "/api/v1/namespaces/a")).resolves.toEqual({});
});
