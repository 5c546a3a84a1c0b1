import { expect, test } from "vitest";
import { readsNoSecrets } from "../../../cli/checks/report.ts";
import { KubeClient } from "../../../kubernetes/index.ts";
import { failure, localServer, testCa } from "../kubernetes/server.ts";

const finding = async (user: string) => {
  await using server = await localServer((_request, response) =>
    failure(response, 403, "Forbidden", `secrets is forbidden: User "${user}" cannot list resource "secrets"`),
  );
  using client = KubeClient.direct({ server: server.url, caPem: testCa.certPem, token: "t" });
  return await readsNoSecrets(client, "The token reads no Secrets");
};

test("a credential that reads no Secrets is found by the API server's refusal", async () => {
  expect(await finding("jane")).toMatchObject({ holds: true, seen: "forbidden" });
});

test("a refusal of a request without a credential proves nothing about the credential", async () => {
  expect(await finding("system:anonymous")).toMatchObject({
    holds: false,
    seen: expect.stringContaining("No credential arrived"),
  });
});
