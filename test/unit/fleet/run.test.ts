import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Changes } from "../../../engine/index.ts";
import { publicFacts, type StackDriver, type StackFacts, type Watch } from "../../../examples/fleet/driver.ts";
import type { Cluster } from "../../../examples/fleet/list.ts";
import { makeReport } from "../../../examples/fleet/report.ts";
import {
  defaultParallel,
  type FleetEvents,
  type RunOptions,
  runFleet,
  type StackResult,
} from "../../../examples/fleet/run.ts";
import { program } from "../../support/stack.ts";

let settingsFolder: string;
beforeAll(async () => {
  settingsFolder = await mkdtemp(join(tmpdir(), "k8sauth-run-"));
});
afterAll(() => rm(settingsFolder, { recursive: true, force: true }));

const silent: FleetEvents = { started: () => {}, progress: () => {}, log: () => {}, ended: () => {} };
const clustersNamed = (...names: string[]): Cluster[] =>
  names.map((name) => ({ name, stack: name, timeoutSeconds: 60, settings: {} }));

/** An engine whose stacks do what the test says. */
class ScriptedDriver implements StackDriver {
  readonly engine = "embedded";
  most = 0;
  readonly ran: string[] = [];
  readonly #act: (name: string, watch: Watch) => Promise<Changes>;
  readonly #facts: (name: string) => StackFacts | undefined;
  #now = 0;

  constructor(
    act: (name: string, watch: Watch) => Promise<Changes>,
    facts = (_name: string): StackFacts | undefined => undefined,
  ) {
    this.#act = act;
    this.#facts = facts;
  }

  async run({ cluster }: { cluster: Cluster }, watch: Watch): Promise<Changes> {
    this.ran.push(cluster.name);
    this.#now += 1;
    this.most = Math.max(this.most, this.#now);
    try {
      return await this.#act(cluster.name, watch);
    } finally {
      this.#now -= 1;
    }
  }

  async facts({ cluster }: { cluster: Cluster }): Promise<StackFacts | undefined> {
    return this.#facts(cluster.name);
  }
}

function run(driver: StackDriver, clusters: Cluster[], more: Partial<RunOptions> = {}): Promise<StackResult[]> {
  return runFleet({ program, settingsFolder, clusters }, driver, {
    operation: "refresh",
    parallel: 2,
    refreshFirst: false,
    policyPacks: [],
    signal: new AbortController().signal,
    events: silent,
    ...more,
  });
}

const aborted = ({ signal }: Watch) =>
  new Promise<never>((_resolve, reject) => {
    const stop = () => reject(new Error("told to stop"));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop);
  });

describe("a run", () => {
  test("works on all stacks, never on more than asked for at once, and answers in the order of the list", async () => {
    const names = Array.from({ length: 200 }, (_, index) => `c${index}`);
    const driver = new ScriptedDriver(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return { same: 1 };
    });
    const results = await run(driver, clustersNamed(...names), { parallel: 7 });
    expect(driver.most).toBe(7);
    expect(results.map(({ cluster }) => cluster.name)).toEqual(names);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(["succeeded"]));
  });

  test("goes on after a failure, which keeps its code", async () => {
    const driver = new ScriptedDriver(async (name) => {
      if (name === "b") throw new Error("no way in");
      return {};
    });
    const results = await run(driver, clustersNamed("a", "b", "c"), { parallel: 1 });
    expect(results.map(({ status }) => status)).toEqual(["succeeded", "failed", "succeeded"]);
    expect(results[1]?.error).toEqual({ message: "no way in" });
  });

  test("stops a stack at its own timeout, says at what it was, and lets the others run", async () => {
    const driver = new ScriptedDriver(async (name, watch) => {
      if (name !== "away") return {};
      watch.progress("create Cluster cluster");
      return aborted(watch);
    });
    const [away, other] = clustersNamed("away", "other") as [Cluster, Cluster];
    const results = await run(driver, [{ ...away, timeoutSeconds: 0.05 }, other], { parallel: 1 });
    expect(results.map(({ status }) => status)).toEqual(["timedOut", "succeeded"]);
    expect(results[0]?.error?.message).toMatch(/^Not done within 0.05 s; stopped at: create Cluster cluster\./);
  });

  test("that is interrupted stops what is under way and starts nothing more", async () => {
    const controller = new AbortController();
    const driver = new ScriptedDriver(async (name, watch) => {
      if (name === "a") return {};
      controller.abort();
      return aborted(watch);
    });
    const results = await run(driver, clustersNamed("a", "b", "c"), { parallel: 1, signal: controller.signal });
    expect(results.map(({ status }) => status)).toEqual(["succeeded", "interrupted", "notStarted"]);
    expect(driver.ran).toEqual(["a", "b"]);
  });

  test("called report runs nothing", async () => {
    const facts = { credentials: { token: { kind: "Secret" } }, cluster: {} };
    const driver = new ScriptedDriver(
      async () => expect.fail("it ran"),
      () => facts,
    );
    const [result] = await run(driver, clustersNamed("a"), { operation: "report" });
    expect(result).toMatchObject({ status: "succeeded", facts });
    expect(driver.ran).toEqual([]);
  });

  test("whose stack can't be read afterwards says so, but a failure before that comes first", async () => {
    const unreadable = () => {
      throw new Error("its state is broken");
    };
    const driver = new ScriptedDriver(async (name) => {
      if (name === "b") throw new Error("no way in");
      return {};
    }, unreadable);
    const results = await run(driver, clustersNamed("a", "b"));
    expect(results.map(({ status, error }) => `${status}: ${error?.message}`)).toEqual([
      "failed: its state is broken",
      "failed: no way in",
    ]);
  });
});

test.each([
  [2, 16, 4],
  [8, 64, 16],
  [8, 2, 3],
  [1, 0.1, 1],
])("with %d cores and %d GiB free it takes %d stacks at once", (cores, gib, expected) => {
  expect(defaultParallel(cores, gib * 1024 ** 3)).toBe(expected);
});

describe("the report", () => {
  const secret = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "v1:hush" };
  const facts = publicFacts({
    clusterAccess: secret,
    cluster: { host: "https://api.example", version: "v1.36.3", distribution: "EKS", uid: secret },
    credentials: {
      ended: { kind: "Certificate", subject: "a", notBefore: "2026-01-01T00:00:00Z", notAfter: "2026-02-01T00:00:00Z", renewAfter: "2026-01-20T00:00:00Z" },
      due: { kind: "TokenRequest", subject: "b", notAfter: "2026-04-01T00:00:00Z", renewAfter: "2026-02-15T00:00:00Z" },
      valid: { kind: "Certificate", subject: "c", notAfter: "2026-03-15T00:00:00Z", renewAfter: "2026-03-10T00:00:00Z" },
      token: { kind: "Secret", subject: "d", notAfter: "", fingerprint: secret },
      hidden: secret,
    },
  }); // biome-ignore format: a table
  const [cluster] = clustersNamed("eu") as [Cluster];
  const now = new Date("2026-03-01T00:00:00Z");
  const report = makeReport([{ cluster, status: "succeeded", seconds: 1.234, changes: { create: 2 }, facts }], {
    operation: "up",
    engine: "embedded",
    started: new Date("2026-02-28T23:59:00Z"),
    ended: now,
    parallel: 2,
    interrupted: false,
  });

  test("has the credentials in the order of their ends, those without one last", () => {
    expect(report.credentials.map(({ name, condition }) => `${name} ${condition}`)).toEqual([
      "ended expired",
      "valid valid",
      "due due",
      "hidden endless",
      "token endless",
    ]);
  });

  test("has what is known of the cluster, and nothing secret, not even its ciphertext", () => {
    expect(report.stacks).toEqual([
      {
        cluster: "eu",
        stack: "eu",
        status: "succeeded",
        seconds: 1.2,
        changes: { create: 2 },
        host: "https://api.example",
        kubernetes: "v1.36.3",
        distribution: "EKS",
        credentials: 5,
      },
    ]);
    expect(JSON.stringify(report)).not.toContain("hush");
  });
});
