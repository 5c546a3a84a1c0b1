import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { buildTimeout, gateways, host, RecordingService, Relay } from "../../forwardAuth/index.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { closedPort } from "../../support/server.ts";
import { VerifierProcess } from "../../support/verifier/process.ts";
import { ask, type Reply } from "../../support/verifier/verifier.ts";
import { Cluster } from "./fixture.ts";

let cluster: Cluster;
let service: RecordingService;
let token: string;

beforeAll(async () => {
  cluster = await Cluster.make(workerKubeconfig());
  await cluster.account("caller");
  token = await cluster.token("caller");
  service = await RecordingService.start();
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});
beforeEach(() => service.reset());

/** Fails closed: nothing reaches the service. */
function expectRefused(reply: Reply, status: number | undefined): void {
  expect(reply.status).toBe(status);
  expect(reply.headers).not.toHaveProperty("x-service");
  expect(service.seen).toEqual([]);
}

describe.each(gateways)("$name while the verifier cannot tell", ({ name, missing, without, start }) => {
  const run = test.skipIf(missing !== undefined);
  const call = (port: number) => ask(port, token, { Host: host });

  run(
    "passes its 503 on as 503, with its Retry-After",
    async () => {
      const settings = cluster.settings({ mode: "tokenreview", apiServer: `https://127.0.0.1:${await closedPort()}` });
      await using blind = await VerifierProcess.start(cluster.folder, settings, false);
      await using gateway = await start({ verifier: blind.port, service: service.port });
      const reply = await call(gateway.port);
      expectRefused(reply, 503);
      expect(reply.headers["retry-after"]).toBe("1");
    },
    buildTimeout,
  );

  run("never opens the door without a verifier, and works again once there is one", async () => {
    const port = await closedPort();
    await using gateway = await start({ verifier: port, service: service.port });
    const reply = await call(gateway.port);
    expectRefused(reply, without.listener);
    expect(reply.headers["retry-after"]).toBe(without.listener === 503 ? "1" : undefined);
    const settings = cluster.settings({ listen: `127.0.0.1:${port}` });
    const first = await VerifierProcess.start(cluster.folder, settings);
    expect((await call(gateway.port)).status).toBe(200);
    await first[Symbol.asyncDispose]();
    service.reset();
    expectRefused(await call(gateway.port), without.listener);
    await using _second = await VerifierProcess.start(cluster.folder, settings);
    expect((await call(gateway.port)).status).toBe(200);
    expect(gateway.output.join("")).not.toContain(token);
  });

  run("refuses where the verifier ends the connection or stays silent", async () => {
    await using verifier = await VerifierProcess.start(cluster.folder, cluster.settings());
    await using relay = await Relay.start(verifier.port);
    await using gateway = await start({ verifier: relay.port, service: service.port });
    for (const target of ["end", "silence"] as const) {
      relay.switchTo(target);
      const status = target === "end" ? without.answer : without.end;
      if (status !== undefined) expectRefused(await call(gateway.port), status);
    }
    relay.switchTo(verifier.port);
    expect((await call(gateway.port)).status, name).toBe(200);
  });
});
