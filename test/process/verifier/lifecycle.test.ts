import { once } from "node:events";
import { mkdirSync, renameSync, symlinkSync } from "node:fs";
import { Agent, request } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as tlsConnect } from "node:tls";
import { afterAll, describe, expect, test } from "vitest";
import { type KeyPair, makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { testCa } from "../../support/server.ts";
import { VerifierProcess } from "../../support/verifier/process.ts";
import { mint } from "../../support/verifier/tokens.ts";
import {
  acceptedStatus,
  apiServer,
  apiSettings,
  ask,
  Folder,
  keySettings,
  until,
  type Verifier,
  verifier,
} from "../../support/verifier/verifier.ts";

const folder = new Folder();
afterAll(() => folder[Symbol.dispose]());

/** A token that is good in real time. */
function current(more: object = {}): string {
  const now = Math.floor(Date.now() / 1000);
  return mint({ iat: now - 10, nbf: now - 10, exp: now + 600, ...more });
}

const serving = (commonName: string) => makeCertificate({ commonName, issuer: testCa, names: ["127.0.0.1"] });

function tlsSettings(identity: KeyPair, more: object = {}): object {
  const tlsCertFile = folder.write("tls.crt", identity.certPem);
  return keySettings(folder, { tlsCertFile, tlsKeyFile: folder.write("tls.key", identity.keyPem), ...more });
}

function askTls({ port }: Verifier, more: object = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${mint()}` };
    const outgoing = tlsRequest({ host: "127.0.0.1", port, ca: testCa.certPem, headers, agent: false, ...more });
    outgoing.once("error", reject);
    outgoing.once("response", (incoming) => {
      incoming.resume();
      incoming.once("end", () => resolve(incoming.statusCode ?? 0));
    });
    outgoing.end();
  });
}

/** Common name of the certificate that it serves now. */
async function served({ port }: { readonly port: number }): Promise<string> {
  const socket = tlsConnect({ host: "127.0.0.1", port, ca: testCa.certPem });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

describe("TLS", () => {
  test("is served, and nothing older than TLS 1.2", async () => {
    await using one = await verifier(tlsSettings(serving("first")));
    expect(await askTls(one)).toBe(200);
    await expect(
      askTls(one, { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }),
    ).rejects.toThrow();
    await expect(ask(one.port, mint())).rejects.toThrow();
  });
  test("a replaced certificate is served without a restart, and open connections stay", async () => {
    await using one = await verifier(tlsSettings(serving("first")));
    const agent = new TlsAgent({ keepAlive: true, ca: testCa.certPem });
    expect(await askTls(one, { agent })).toBe(200);
    const next = serving("second");
    folder.write("tls.crt", next.certPem);
    folder.write("tls.key", next.keyPem);
    one.clock?.advance(10_000);
    await until(async () => (await served(one)) === "second", "the new one is served");
    expect(await askTls(one, { agent })).toBe(200);
    agent.destroy();
  });
  test("a replacement that is only half there, or none, leaves the last one", async () => {
    await using one = await verifier(tlsSettings(serving("first")));
    for (const broken of [serving("second").certPem, "garbage", ""]) {
      one.lines.length = 0;
      folder.write("tls.crt", broken);
      one.clock?.advance(10_000);
      await until(() => one.lines.some(({ level }) => level === "error"), "it says so");
      expect(await served(one)).toBe("first");
      // The loop has to be asleep again before the clock moves.
      await sleep(20);
    }
  });
  test("with a client CA, a client without a certificate of it is refused", async () => {
    const clientCa = makeCertificate({ commonName: "clients" });
    const client = makeCertificate({ commonName: "gateway", issuer: clientCa });
    const stranger = makeCertificate({ commonName: "stranger", issuer: makeCertificate({ commonName: "others" }) });
    const settings = tlsSettings(serving("first"), { tlsClientCaFile: folder.write("clients.crt", clientCa.certPem) });
    await using one = await verifier(settings);
    expect(await askTls(one, { cert: client.certPem, key: client.keyPem })).toBe(200);
    await expect(askTls(one, { cert: stranger.certPem, key: stranger.keyPem })).rejects.toThrow();
    await expect(askTls(one)).rejects.toThrow();
  });
  test.each([
    ["another key", () => ({ ...serving("a"), keyPem: serving("b").keyPem }), "TLS_INVALID"],
    ["no certificate", () => ({ ...serving("a"), certPem: "garbage" }), "TLS_INVALID"],
    ["an empty key", () => ({ ...serving("a"), keyPem: "\n" }), "FILE_UNREADABLE"],
  ])("%s is refused at the start", async (_, identity, code) => {
    await expect(verifier(tlsSettings(identity()))).rejects.toMatchObject({ code });
  });
});

describe("the start", () => {
  test("fails if a port is in use, and closes the other one", async () => {
    await using one = await verifier(keySettings(folder));
    const settings = keySettings(folder, { listen: `127.0.0.1:${one.port}` });
    await expect(verifier(settings)).rejects.toMatchObject({ code: "LISTEN_FAILED" });
  });
  test("fails for a file without keys, and names the file", async () => {
    await expect(verifier(keySettings(folder, {}, "garbage"))).rejects.toThrow(/KEYS|keys\.pem holds no keys/);
  });
});

test("its own token and CA that are mounted late are waited for, by name and without an answer but 503", async () => {
  using own = new Folder();
  await using api = await apiServer();
  const [apiCaFile, apiTokenFile] = [join(own.path, "late-ca"), join(own.path, "late-token")];
  await using one = await verifier({ apiServer: api.url, apiCaFile, apiTokenFile }, { realTime: true, unready: true });
  const missing = (path: string) => one.lines.some(({ detail }) => String(detail).includes(path));
  await until(() => missing(apiCaFile), "it names the CA");
  expect((await one.ask(current())).status).toBe(503);
  own.write("late-ca", testCa.certPem);
  await until(() => missing(apiTokenFile), "it names the token", 5_000);
  expect((await one.ask(current())).status).toBe(503);
  own.write("late-token", "own-token");
  await until(() => one.service.unreadyReasons().length === 0, "it is ready", 5_000);
  expect((await one.ask(current())).status).toBe(200);
});

describe("stopping", () => {
  test("while it stops, answers ask for the connection to be closed", async () => {
    const one = await verifier(keySettings(folder));
    const stopping = one.service.stop({ drainSeconds: 1 });
    const { status, headers } = await one.ask(mint());
    expect({ status, connection: headers.connection }).toEqual({ status: 200, connection: "close" });
    expect((await ask(one.service.adminPort, undefined, {}, "GET", "/readyz")).status).toBe(503);
    expect((await ask(one.service.adminPort, undefined, {}, "GET", "/livez")).status).toBe(200);
    one.clock?.advance(1_000);
    await stopping;
    await expect(one.ask(mint())).rejects.toThrow("ECONNREFUSED");
  });
  test("after the drain time, running requests are answered, and idle connections close without a reset", async () => {
    await using api = await apiServer();
    let release: (() => void) | undefined;
    api.review = (review, response) => {
      release = () => void response.end(JSON.stringify({ kind: "TokenReview", status: acceptedStatus(review) }));
      return undefined;
    };
    const one = await verifier(apiSettings(api, folder));
    const idle = connect(one.port, "127.0.0.1", () => idle.write("GET / HTTP/1.1\r\nHost: v\r\n\r\n"));
    const seen: string[] = [];
    for (const name of ["data", "end", "error"]) idle.on(name, () => seen.push(name));
    await until(() => seen.length === 1, "the connection has had an answer");
    const waiting = one.ask(mint());
    await until(() => release !== undefined, "the review is under way");
    const stopping = one.service.stop({ drainSeconds: 0 });
    await until(() => seen.length > 1, "the idle connection is closed");
    expect(seen).toEqual(["data", "end"]);
    release?.();
    expect((await waiting).status).toBe(200);
    await stopping;
  });
});

// At the same time, because each waits for seconds.
describe.concurrent("a process", () => {
  test("a certificate and a key that kubelet replaces, by a link to another folder, are served under Node's permissions", {
    timeout: 40_000,
  }, async () => {
    using mount = new Folder();
    const put = (version: string, identity: KeyPair) => {
      mkdirSync(join(mount.path, version));
      mount.write(`${version}/tls.crt`, identity.certPem);
      mount.write(`${version}/tls.key`, identity.keyPem);
      symlinkSync(version, join(mount.path, "..next"));
      renameSync(join(mount.path, "..next"), join(mount.path, "..data"));
    };
    put("..1", serving("first"));
    for (const name of ["tls.crt", "tls.key"]) symlinkSync(join("..data", name), join(mount.path, name));
    const tls = { tlsCertFile: join(mount.path, "tls.crt"), tlsKeyFile: join(mount.path, "tls.key") };
    const settings = { audience: "verifier.example", ...keySettings(mount, tls) };
    await using one = await VerifierProcess.start(mount.path, settings);
    expect(await served(one)).toBe("first");
    put("..2", serving("second"));
    await until(async () => (await served(one)) === "second", "the new one is served", 30_000);
  });

  describe("at SIGTERM", () => {
    test("under load loses no request: unready at once, answers to the end, then exit status 0", {
      timeout: 30_000,
    }, async () => {
      // Long enough that a busy machine sees it unready in time.
      const settings = { audience: "verifier.example", drainSeconds: 4, ...keySettings(folder) };
      await using one = await VerifierProcess.start(folder.path, settings);
      const agent = new Agent({ keepAlive: true, maxSockets: 50 });
      const results = new Map<string, number>();
      let stopping = false;
      let unready = false;
      const call = () =>
        new Promise<void>((resolve) => {
          const count = (what: string) => {
            results.set(what, (results.get(what) ?? 0) + 1);
            resolve();
          };
          const headers = {
            Authorization: `Bearer ${current({ jti: Math.random() > 0.5 ? "a" : String(Math.random()) })}`,
          };
          const outgoing = request({ host: "127.0.0.1", port: one.port, agent, headers });
          outgoing.once("error", (error) => count(String((error as NodeJS.ErrnoException).code)));
          outgoing.once("response", (incoming) => {
            incoming.resume();
            incoming.once("end", () => count(String(incoming.statusCode)));
          });
          outgoing.end();
        });
      // Callers go on as long as a Service would send them here: until it is seen to be unready, and a little longer.
      const caller = async () => {
        while (!unready) await call();
        for (let more = 0; more < 5; more++) await call();
      };
      const callers = Array.from({ length: 50 }, caller);
      await sleep(500);
      const closed = once(one.child, "close");
      one.child.kill("SIGTERM");
      stopping = true;
      await until(async () => (await one.readiness()).status === 503, "it is unready", 2_000);
      unready = true;
      await Promise.all(callers);
      agent.destroy();
      expect(await closed).toEqual([0, null]);
      expect(stopping).toBe(true);
      expect([...results.keys()]).toEqual(["200"]);
      expect(results.get("200")).toBeGreaterThan(100);
    });
    test("a second signal ends it at once", async () => {
      using own = new Folder();
      const settings = { audience: "verifier.example", drainSeconds: 60, ...keySettings(own) };
      await using one = await VerifierProcess.start(own.path, settings);
      const closed = once(one.child, "close");
      one.child.kill("SIGTERM");
      await until(async () => (await one.readiness()).status === 503, "it is unready", 2_000);
      one.child.kill("SIGTERM");
      expect(await closed).toEqual([1, null]);
    });
  });
});
