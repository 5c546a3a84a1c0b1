/** Floods of connections that carry no token, against the verifier's process in a container's memory limit. */
import { afterAll, describe, expect, test } from "vitest";
import { verifierPod } from "../../components/verifier/manifests.ts";
import { makeCertificate } from "../../sandbox/cluster/certificate.ts";
import { LimitedVerifier } from "../support/processes/limitedVerifier.ts";
import { mint } from "../support/verifier/tokens.ts";
import { Folder, keySettings, until } from "../support/verifier/verifier.ts";
import { noNode } from "./pods.ts";

const MiB = 1024 * 1024;
const pod = verifierPod({ mode: "jwt-pubkey", image: "", labels: {}, configMap: "", serviceAccount: "" });
const limitMiB = Number.parseInt(pod.containers[0]?.resources.limits.memory ?? "", 10);
/** Memory of a full cache of accepted tokens, which has to stay free. */
const cacheMiB = 52;

const folder = new Folder();
afterAll(() => folder[Symbol.dispose]());

function current(more: object): string {
  const now = Math.floor(Date.now() / 1000);
  return mint({ iat: now - 10, nbf: now - 10, exp: now + 3_000, ...more });
}

/** Headers that do not end: as many and as large as a request may have. */
const unfinished = (() => {
  const count = 97;
  const bytes = 12_000;
  const header = (at: number) => `X-${at}: `.padEnd(Math.floor(bytes / count) - 2, "x");
  return `GET / HTTP/1.1\r\nHost: v\r\n${Array.from({ length: count }, (_, at) => header(at)).join("\r\n")}\r\n`;
})();

function settings(tls: boolean): object {
  if (!tls) return { audience: "verifier.example", ...keySettings(folder) };
  const serving = makeCertificate({ commonName: "verifier", names: ["127.0.0.1"] });
  const tlsCertFile = folder.write("tls.crt", serving.certPem);
  const tlsKeyFile = folder.write("tls.key", serving.keyPem);
  return { audience: "verifier.example", ...keySettings(folder, { tlsCertFile, tlsKeyFile }) };
}

describe.skipIf(noNode)(`in ${limitMiB} MiB`, () => {
  test.each([
    { what: "14,000 idle connections", tls: false, connections: 14_000, send: "" },
    { what: "7,500 connections with unfinished headers", tls: false, connections: 7_500, send: unfinished },
    { what: "2,700 idle TLS connections", tls: true, connections: 2_700, send: "" },
    { what: "1,850 TLS connections with unfinished headers", tls: true, connections: 1_850, send: unfinished },
  ])("$what from 100 addresses leave the verifier alive, ready, and with an answer for a good token", async (flood) => {
    await using one = await LimitedVerifier.start(folder.path, settings(flood.tls), limitMiB * MiB);
    const seen = async (when: string) => ({
      when,
      ended: one.ended,
      live: (await one.probe("/livez")).status,
      ready: (await one.probe("/readyz")).status,
      token: await one.ask(current({ jti: when }), "127.0.0.9"),
    });
    const well = (when: string) => ({ when, ended: undefined, live: 200, ready: 200, token: 200 });

    const flooding = one.flood(flood.connections, 100);
    await until(async () => (await one.floodCount()) > 100, "the flood has begun", 20_000);
    expect(await seen("during the flood")).toEqual(well("during the flood"));
    await flooding;
    const metrics = await one.connectionMetrics();
    const { connections = 0, connections_limit: limit = 0 } = metrics;
    // All places are taken, as many as follow from the memory, and the rest was refused.
    expect(connections).toBeGreaterThanOrEqual(limit - 2);
    expect(connections).toBeLessThanOrEqual(limit);
    expect(metrics['connections_refused_total{reason="full"}']).toBeGreaterThan(flood.connections - limit - 200);
    expect(await seen("while all places are taken")).toEqual(well("while all places are taken"));
    expect((await one.connectionMetrics()).connections_displaced_total).toBeGreaterThan(0);
    if (flood.send) {
      await one.sendToAll(flood.send);
      expect(await seen("while headers do not end")).toEqual(well("while headers do not end"));
    }
    expect(one.cgroup.peakBytes / MiB).toBeLessThan(limitMiB - cacheMiB);
    if (!flood.send) return;
    await until(async () => (await one.floodCount()) === 0, "unfinished requests are closed", 15_000);
    expect(await seen("after the flood")).toEqual(well("after the flood"));
  });

  test("one address with 5,000 connections gets half of the places, and callers from others are answered", async () => {
    await using one = await LimitedVerifier.start(folder.path, settings(false), limitMiB * MiB);
    await one.flood(5_000, 1);
    const metrics = await one.connectionMetrics();
    expect(await one.floodCount()).toBe(Math.ceil((metrics.connections_limit ?? 0) / 2));
    expect(metrics['connections_refused_total{reason="address"}']).toBe(5_000 - (await one.floodCount()));
    expect(await one.ask(current({ jti: "another" }), "127.0.0.9")).toBe(200);
    expect(await one.ask(current({ jti: "same" }), "127.1.0.1")).toBe(0);
  });
});
