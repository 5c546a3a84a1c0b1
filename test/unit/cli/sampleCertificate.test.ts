import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { sampleCertificate } from "../../../cli/checks/sampleCertificate.ts";
import { KubeClient } from "../../../kubernetes/index.ts";
import { answer, localServer, testCa } from "../../support/server.ts";

/** An API server that signs an approved request after a time. */
function signsAfter(delayMs: number) {
  let signedAt = Number.POSITIVE_INFINITY;
  return ({ method, url }: IncomingMessage, response: ServerResponse) => {
    if (method === "PUT" && url?.endsWith("/approval")) signedAt = performance.now() + delayMs;
    const certificate = performance.now() >= signedAt ? Buffer.from("PEM").toString("base64") : undefined;
    answer(response, 200, { status: { certificate } });
  };
}

async function sample(delayMs: number, timeoutMs: number) {
  await using server = await localServer(signsAfter(delayMs));
  using client = KubeClient.direct({ server: server.url, caPem: testCa.certPem, token: "t" });
  const certPem = await sampleCertificate(client, timeoutMs).then(
    (sampled) => sampled.certPem,
    (error: Error) => error.message,
  );
  return { certPem, last: server.requests.at(-1)?.method };
}

test("a certificate that is signed late in the time to wait is found", async () => {
  expect(await sample(350, 500)).toEqual({ certPem: "PEM", last: "DELETE" });
});

test("a request that is not signed in time is deleted, and the error has the time", async () => {
  const message = "the cluster signed no certificate within 0.05 s";
  expect(await sample(Number.POSITIVE_INFINITY, 50)).toEqual({ certPem: message, last: "DELETE" });
});
