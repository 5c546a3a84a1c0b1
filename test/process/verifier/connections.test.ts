/** Limits on connections: how many there may be, and who keeps a place when all are taken. */
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { verifierPod } from "../../../components/verifier/manifests.ts";
import { connectionCapacity, connectionLimits } from "../../../verifier/http/capacity.ts";
import { nodeFlags } from "../../../verifier/nodeFlags.ts";
import { mint } from "../../support/verifier/tokens.ts";
import { ask, Folder, keySettings, until, type Verifier, verifier } from "../../support/verifier/verifier.ts";

const MiB = 1024 * 1024;
const folder = new Folder();
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => folder[Symbol.dispose]());

const keyed = (more: object) => verifier(keySettings(folder, more));

/** A connection from an address, kept open; with a token, after its answer. */
class Client {
  readonly socket: Socket;
  text = "";

  private constructor(port: number, localAddress: string) {
    this.socket = connect({ host: "127.0.0.1", port, localAddress });
    sockets.push(this.socket);
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk) => {
      this.text += chunk;
    });
  }

  static async open(port: number, address: string, token?: string): Promise<Client> {
    const client = new Client(port, address);
    const authorization = token ? `Authorization: Bearer ${token}\r\n` : "";
    client.socket.write(`GET / HTTP/1.1\r\nHost: v\r\n${authorization}\r\n`);
    await until(() => client.answers > 0 || client.isClosed, "it has an answer or is closed");
    return client;
  }

  get answers(): number {
    return this.text.split("HTTP/1.1 ").length - 1;
  }

  get isClosed(): boolean {
    return this.socket.closed;
  }
}

async function metrics(one: Verifier): Promise<Record<string, number>> {
  const { body } = await ask(one.service.adminPort, undefined, {}, "GET", "/metrics");
  const found = body.matchAll(/^k8sauth_verifier_(connections\S*) (\d+)$/gm);
  return Object.fromEntries([...found].map(([, name, value]) => [name, Number(value)]));
}

describe("one address", () => {
  test("has half of all connections at most by default, and others have the rest", async () => {
    await using one = await keyed({ maxConnections: 6 });
    const [a, b, c, fourth] = [
      await Client.open(one.port, "127.0.1.1"),
      await Client.open(one.port, "127.0.1.1"),
      await Client.open(one.port, "127.0.1.1"),
      await Client.open(one.port, "127.0.1.1"),
    ];
    expect([a, b, c, fourth].map((client) => client?.answers)).toEqual([1, 1, 1, 0]);
    expect((await Client.open(one.port, "127.0.1.2", mint())).text).toMatch(/^HTTP\/1.1 200 /);
    expect(await metrics(one)).toMatchObject({
      connections: 4,
      connections_limit: 6,
      'connections_refused_total{reason="address"}': 1,
      'connections_refused_total{reason="full"}': 0,
      connections_displaced_total: 0,
    });
    const line = one.lines.find(({ msg }) => msg === "a connection was refused");
    expect(line).toMatchObject({ level: "warn", reason: "address", peer: "127.0.1.1" });
    // A place that becomes free is free for it again.
    a?.socket.destroy();
    await until(async () => (await metrics(one)).connections === 3, "its connection is gone");
    expect((await Client.open(one.port, "127.0.1.1")).answers).toBe(1);
  });
  test("can have all connections if the setting says so, for a gateway that all callers share", async () => {
    await using one = await keyed({ maxConnections: 4, maxConnectionsPerAddress: 4 });
    for (let at = 0; at < 4; at++) expect((await Client.open(one.port, "127.0.1.1")).answers).toBe(1);
    expect((await Client.open(one.port, "127.0.1.1")).answers).toBe(0);
  });
});

describe("at the limit of all connections", () => {
  test("a newcomer takes that of the address with most, and its oldest idle connection", async () => {
    await using one = await keyed({ maxConnections: 5, maxConnectionsPerAddress: 4 });
    const flood: Client[] = [];
    for (const address of ["127.0.1.1", "127.0.1.2", "127.0.1.1", "127.0.1.1", "127.0.1.2"])
      flood.push(await Client.open(one.port, address));
    const newcomer = await Client.open(one.port, "127.0.1.3", mint());
    expect(newcomer.text).toMatch(/^HTTP\/1.1 200 /);
    await until(() => flood[0]?.isClosed === true, "the oldest is closed");
    expect(flood.map((client) => client.isClosed)).toEqual([true, false, false, false, false]);
    expect(await metrics(one)).toMatchObject({ connections: 5, connections_displaced_total: 1 });
  });
  test("an address that has as many as the others is refused: a flood does not displace connections", async () => {
    await using one = await keyed({ maxConnections: 4, maxConnectionsPerAddress: 4 });
    const open: Client[] = [];
    for (const address of ["127.0.1.1", "127.0.1.2", "127.0.1.1", "127.0.1.2"])
      open.push(await Client.open(one.port, address));
    for (let at = 0; at < 5; at++) expect((await Client.open(one.port, "127.0.1.1")).answers).toBe(0);
    expect(open.map((client) => client.isClosed)).toEqual([false, false, false, false]);
    expect(await metrics(one)).toMatchObject({ 'connections_refused_total{reason="full"}': 5 });
  });
  test("connections with an accepted token stay while there are others, however many one gateway has", async () => {
    await using one = await keyed({ maxConnections: 6, maxConnectionsPerAddress: 4 });
    const gateway: Client[] = [];
    for (let at = 0; at < 4; at++) gateway.push(await Client.open(one.port, "127.0.1.1", mint()));
    for (const address of ["127.0.1.2", "127.0.1.3"]) await Client.open(one.port, address);
    for (let at = 4; at < 30; at++) await Client.open(one.port, `127.0.1.${at}`);
    expect(gateway.map((client) => client.isClosed)).toEqual([false, false, false, false]);
    expect(await metrics(one)).toMatchObject({ connections: 6, connections_displaced_total: 26 });
  });
  test("where every connection has an accepted token, a first one of another address still gets a place", async () => {
    await using one = await keyed({ maxConnections: 4, maxConnectionsPerAddress: 4 });
    for (let at = 0; at < 4; at++) await Client.open(one.port, "127.0.1.1", mint());
    expect((await Client.open(one.port, "127.0.1.2", mint())).text).toMatch(/^HTTP\/1.1 200 /);
  });
});

describe("how many the memory holds", () => {
  const flag = (name: string) => Number(nodeFlags.find((each) => each.startsWith(`--${name}=`))?.split("=")[1]);
  /** As V8 has it: the old generation, and three times a semi-space. */
  const heapBytes = (flag("max-old-space-size") + 3 * flag("max-semi-space-size")) * MiB;
  const pod = verifierPod({ mode: "hybrid", image: "", labels: {}, configMap: "", serviceAccount: "" });
  const memoryBytes = Number.parseInt(pod.containers[0]?.resources.limits.memory ?? "", 10) * MiB;

  test("in the pod: enough for gateways, fewer with TLS", () => {
    const plain = connectionCapacity({ memoryBytes, heapBytes }, false);
    const tls = connectionCapacity({ memoryBytes, heapBytes }, true);
    expect(plain).toBeGreaterThan(1_000);
    expect(tls).toBeGreaterThan(300);
    expect(tls).toBeLessThan(plain / 2);
  });
  test("grows with the container's memory, until the heap is the limit", () => {
    const of = (memory: number, heap = heapBytes) => connectionCapacity({ memoryBytes: memory, heapBytes: heap }, true);
    expect(of(memoryBytes + 64 * MiB)).toBeGreaterThan(of(memoryBytes) + 500);
    expect(of(8_192 * MiB)).toBe(of(4_096 * MiB));
    expect(of(8_192 * MiB, 4_096 * MiB)).toBeGreaterThan(10_000);
  });
  test("a container that is too small still has connections for a gateway", () => {
    expect(connectionCapacity({ memoryBytes: 64 * MiB, heapBytes }, true)).toBe(64);
  });
  test("is the most that can be set, for all and for one address", () => {
    const limits = (maxConnections?: number, maxConnectionsPerAddress?: number) =>
      connectionLimits({ maxConnections, maxConnectionsPerAddress }, 1_000);
    expect(limits()).toEqual({ max: 1_000, maxPerAddress: 500 });
    expect(limits(5_000)).toEqual({ max: 1_000, maxPerAddress: 500 });
    expect(limits(11)).toEqual({ max: 11, maxPerAddress: 6 });
    expect(limits(undefined, 5_000)).toEqual({ max: 1_000, maxPerAddress: 1_000 });
    expect(limits(undefined, 5)).toEqual({ max: 1_000, maxPerAddress: 5 });
  });
  test("a limit that does not fit is lowered, and the log says so", async () => {
    await using one = await keyed({ maxConnections: 1_000_000 });
    const line = one.lines.find(({ maxConnections }) => maxConnections === 1_000_000);
    expect(line).toMatchObject({ level: "warn", capacity: (await metrics(one)).connections_limit });
  });
});

test("the port for kubelet answers it while another address holds all the connections that it gets there", async () => {
  await using one = await keyed({});
  const { adminPort } = one.service;
  const others = Array.from({ length: 120 }, () =>
    connect({ host: "127.0.0.1", port: adminPort, localAddress: "127.0.1.1" }),
  );
  sockets.push(...others);
  for (const socket of others) socket.on("error", () => {});
  await until(() => others.filter((socket) => socket.closed).length === 70, "70 of 120 are refused");
  for (const path of ["/livez", "/readyz"]) expect((await ask(adminPort, undefined, {}, "GET", path)).status).toBe(200);
});

test.each([
  ["say nothing", "", true],
  ["send headers that do not end", "GET /readyz HTTP/1.1\r\nHost: v\r\nX-Slow: ", true],
  ["read no answers", "GET /metrics HTTP/1.1\r\nHost: v\r\n\r\n".repeat(20), false],
])("the port for kubelet answers it while 150 clients of its own address %s", async (_, bytes, reads) => {
  await using one = await keyed({});
  const { adminPort } = one.service;
  let opened = 0;
  let connected = 0;
  // As slow clients do, each connects again when its connection is closed.
  const hold = () => {
    if (opened >= 600) return;
    opened += 1;
    const socket = connect({ host: "127.0.0.1", port: adminPort }, () => socket.write(bytes));
    if (reads) socket.resume();
    socket.once("connect", () => {
      connected += 1;
    });
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("close", hold);
  };
  for (let at = 0; at < 150; at++) hold();
  await until(
    () => connected >= (reads ? 200 : 150),
    "clients are connected, and those that see its end connect again",
  );
  for (let probes = 0; probes < 20; probes++)
    for (const path of ["/livez", "/readyz"])
      expect((await ask(adminPort, undefined, {}, "GET", path)).status).toBe(200);
});
