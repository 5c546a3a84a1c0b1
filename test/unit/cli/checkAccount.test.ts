import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { withCheckAccount } from "../../../cli/checks/checkAccount.ts";
import { KubeClient } from "../../../kubernetes/index.ts";
import { answer, localServer, testCa } from "../../support/server.ts";

/** An API server with accounts of other checks, at 12:00. */
function accounts({ method }: IncomingMessage, response: ServerResponse) {
  if (method === "POST") return answer(response, 201, { metadata: { creationTimestamp: "2026-01-10T12:00:00Z" } });
  const items = [
    { metadata: { name: "running", creationTimestamp: "2026-01-10T11:59:00Z" } },
    { metadata: { name: "interrupted", creationTimestamp: "2026-01-10T11:50:00Z" } },
    { metadata: { name: "undated" } },
  ];
  answer(response, 200, { items });
}

test("a check deletes the accounts of interrupted checks and its own, not those of checks that run now", async () => {
  await using server = await localServer(accounts);
  using client = KubeClient.direct({ server: server.url, caPem: testCa.certPem, token: "t" });
  const username = await withCheckAccount(client, "auth", async (account) => account.username);
  const deleted = server.requests.filter(({ method }) => method === "DELETE").map(({ url }) => url.split("/").at(-1));
  expect(deleted).toEqual(["interrupted", username.split(":").at(-1)]);
});
