import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { EmbeddedDriver } from "../../examples/fleet/embedded.ts";
import { IsolatedDriver } from "../../examples/fleet/isolated.ts";
import type { FleetReport } from "../../examples/fleet/report.ts";
import { writeSettings } from "../../examples/fleet/settings.ts";
import { type KubeClient, loadConnection } from "../../kube/index.ts";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { Link } from "../pulumi/link.ts";
import { gone } from "../support/crash.ts";
import { processesOf } from "../support/engineProcess.ts";
import { FaultProxy } from "../support/faultProxy.ts";
import { type ListedCluster, TestFleet } from "../support/fleet.ts";
import { added, adminOf, inventory, type Lodging, lodging } from "../support/inventory.ts";
import { changedKubeconfig } from "../support/kubeconfigs.ts";
import { program } from "../support/stack.ts";
import { adminToken, kubeconfigFor } from "./providerFixture.ts";

const kubeconfig = inject("kubeconfig");
let admin: KubeClient;
let home: Lodging;
let before: string[];

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
});
beforeEach(async () => {
  before = await inventory(admin);
});
afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
  admin?.close();
});

/** Several stacks share a sandbox: each has an account of its own in the one namespace. */
const shared = (name: string, more: Partial<ListedCluster> = {}): ListedCluster => ({
  name,
  kubeconfig,
  ...more,
  settings: { ...home.settings, serviceAccountName: name, ...more.settings },
});

/** Every object of a stack with such an account, once. */
const objectsOf = (...names: string[]) =>
  names
    .flatMap((name) => [
      "ClusterRole gateway-token-reviewer-#",
      "ClusterRoleBinding gateway-token-reviewer-#",
      `Secret ${home.shown}/${name}-token`,
      `ServiceAccount ${home.shown}/${name}`,
    ])
    .sort();

const statuses = ({ stacks }: FleetReport) =>
  Object.fromEntries(stacks.map(({ cluster, status }) => [cluster, status]));

describe("two clusters down, one slow, and another one's certificate due the soonest", () => {
  let second: Sandbox;
  let slow: FaultProxy;
  let silent: Link;
  let fleet: TestFleet;
  let tokens: string[];
  let first: Awaited<ReturnType<TestFleet["run"]>>;

  beforeAll(async () => {
    second = await startSandbox({ ephemeral: true });
    slow = await FaultProxy.start(await loadConnection({ kubeconfig }, {}));
    slow.add({ path: /./, delayMs: 250 });
    const certificate = { certificateFlow: true, certificateExpirationSeconds: 86_400 };
    fleet = await TestFleet.make([], { allowLoopbackHost: true });
    const link = await Link.open(kubeconfig, fleet.folder);
    silent = link.link;
    await silent.cut("silent");
    const refused = changedKubeconfig(kubeconfig, { cluster: { server: "https://127.0.0.1:1" } });
    const clusters = [
      { name: "refused", kubeconfig: await fleet.file("refused", refused) },
      { name: "silent", kubeconfig: link.kubeconfig, timeoutSeconds: 10 },
      shared("slow", {
        kubeconfig: await fleet.file("slow", kubeconfigFor(slow.url, slow.caPem, { token: await adminToken(admin) })),
      }),
      {
        name: "second",
        kubeconfig: second.kubeconfig,
        settings: { ...certificate, certificateExpirationSeconds: 3_600 },
      },
      shared("good"),
      shared("certified", { settings: { ...certificate, certificateCommonName: "fleet-certified" } }),
    ];
    const { folder } = fleet;
    await fleet.rewrite(clusters);
    first = await fleet.run("up", "--parallel", "3", "--logs", join(folder, "logs"));
    const names = ["slow", "second", "good", "certified"];
    const outputs = await Promise.all(names.map((name) => fleet.outputs(name)));
    tokens = outputs.map(({ clusterAccess }) => (clusterAccess as { token: string }).token);
  });

  afterAll(async () => {
    await fleet?.run("destroy", "--yes");
    await fleet?.[Symbol.asyncDispose]();
    await slow?.[Symbol.asyncDispose]();
    await silent?.[Symbol.asyncDispose]();
    await second?.stop();
  });

  test("the good ones and the slow one succeed, and the exit status says that others did not", () => {
    expect(first.status, first.output).toBe(1);
    expect(statuses(first.report)).toEqual({
      refused: "failed",
      silent: "timedOut",
      slow: "succeeded",
      second: "succeeded",
      good: "succeeded",
      certified: "succeeded",
    });
    expect(slow.seen.length).toBeGreaterThan(5);
  });

  test("the report says why, and a cluster that is away costs its own timeout and nothing more", () => {
    const { stacks } = first.report;
    const [refused, silenced] = stacks;
    expect(refused?.error?.message).toMatch(/KUBE_REFUSED.*https:\/\/127\.0\.0\.1:1 refused the connection/);
    expect(silenced?.error?.message).toMatch(/Not done within 10 s; stopped at: create .*Run it again to go on/);
    expect(silenced?.seconds).toBeGreaterThanOrEqual(10);
    // The engine's own time to stop, on a busy machine.
    expect(silenced?.seconds).toBeLessThan(10 + 4);
  });

  test("what is printed has a line for each, and each has a log", async () => {
    expect(first.output).toMatch(/^! refused {4}failed after [\d.]+ s: .*KUBE_REFUSED/m);
    expect(first.output).toMatch(/^\+ good {7}succeeded in [\d.]+ s: \d+ created$/m);
    expect(first.output).toMatch(/^up: 4 of 6 succeeded in .*Next credential to end: certificate of second, 2\d{3}-/m);
    const log = await readFile(join(fleet.folder, "logs", "good.log"), "utf8");
    expect(log).toMatch(/create ServiceAccount[\s\S]*succeeded\n$/);
  });

  test("credentials are listed with kind, subject and dates, the soonest end first, and none of their secrets", async () => {
    const { credentials } = first.report;
    expect(credentials.map(({ cluster, name, condition }) => `${cluster} ${name} ${condition}`)).toEqual([
      "second certificate valid",
      "certified certificate valid",
      "certified token endless",
      "good token endless",
      "second token endless",
      "slow token endless",
    ]);
    expect(credentials[1]).toMatchObject({
      kind: "Certificate",
      subject: "fleet-certified",
      notAfter: expect.stringMatching(/^2\d{3}-.*Z$/),
      renewAfter: expect.stringMatching(/^2\d{3}-.*Z$/),
    });
    const page = await readFile(join(fleet.folder, "page.html"), "utf8");
    const shown = page + JSON.stringify(first.report) + first.output;
    for (const token of tokens) expect(shown).not.toContain(token.slice(0, 100));
    expect(shown).not.toContain("PRIVATE KEY");
  });

  test("run again, nothing changes; an expiry alarm is an exit status of its own", async () => {
    const only = ["slow", "second", "good", "certified"].flatMap((name) => ["--only", name]);
    const again = await fleet.run("up", ...only, "--expect-no-changes", "--expect-valid", "0");
    expect(again.status, again.output).toBe(0);
    expect((await fleet.run("report", ...only, "--expect-valid", "2")).status).toBe(3);
  });

  test("a policy pack judges every stack", async () => {
    // It wants no gateway host that is loopback, which a sandbox's always is.
    const { status, report } = await fleet.run("preview", "--only", "good", "--policy-pack", join(program, "policy"));
    expect(status).toBe(1);
    expect(report.stacks[0]).toMatchObject({ status: "failed", error: { code: "POLICY_VIOLATED" } });
  });

  test("a changed list shows in a preview, whose exit status tells", async () => {
    await fleet.rewrite([shared("good", { settings: { audience: "gateway" } })]);
    const preview = await fleet.run("preview", "--expect-no-changes");
    expect(preview.status, preview.output).toBe(7);
    expect(preview.report.stacks[0]?.changes).toMatchObject({ update: 1 });
  });
});

describe("a fleet that is killed or interrupted in the middle loses nothing, and the next run makes nothing twice", () => {
  const names = ["one", "two", "three"];
  const timeout = 120_000;

  const make = () => TestFleet.make(names.map((name) => shared(name)), { allowLoopbackHost: true }, { parallel: 2 }); // biome-ignore format: one line

  async function expectWhole(fleet: TestFleet): Promise<void> {
    const { status, output, report } = await fleet.run("up");
    expect(status, output).toBe(0);
    expect(added(before, await inventory(admin))).toEqual(objectsOf(...names));
    expect(report.credentials).toHaveLength(names.length);
    expect((await fleet.run("up", "--expect-no-changes")).status).toBe(0);
    const gone = await fleet.run("destroy", "--yes");
    expect(gone.status, gone.output).toBe(0);
    expect(added(before, await inventory(admin))).toEqual([]);
  }

  test("kill -9 of the fleet's process: its stacks stop by themselves, with their state saved", {
    timeout,
  }, async () => {
    await using fleet = await make();
    const run = fleet.start("up");
    await fleet.until('"kubernetes:core/v1:ServiceAccount"');
    run.child.kill("SIGKILL");
    await run.end();
    await gone(fleet);
    await expectWhole(fleet);
  });

  test("kill -9 of everything at once", { timeout }, async () => {
    await using fleet = await make();
    const run = fleet.start("up");
    await fleet.until('"kubernetes:core/v1:ServiceAccount"', 2);
    await fleet.killAll();
    await run.end();
    await gone(fleet);
    await expectWhole(fleet);
  });

  test("Ctrl-C: what is under way stops, nothing else starts, and the report says so", { timeout }, async () => {
    await using fleet = await make();
    const run = fleet.start("up");
    await fleet.until('"kubernetes:core/v1:ServiceAccount"');
    run.child.kill("SIGINT");
    expect(await run.end()).toBe(130);
    await gone(fleet);
    const report = await fleet.report();
    expect(report.interrupted).toBe(true);
    expect(Object.values(statuses(report))).toContain("notStarted");
    expect(run.output).toMatch(/Stopping: what is under way is saved/);
    await expectWhole(fleet);
  });
});

test("a stack's process that hangs is killed when its time is up, with all that it started", async () => {
  await using fleet = await TestFleet.make([], {});
  const { link, kubeconfig: through } = await Link.open(kubeconfig, fleet.folder);
  await using _link = link;
  await link.cut("silent");
  const settings = { ...home.settings, kubeconfig: through, allowLoopbackHost: true };
  const cluster = { name: "hung", stack: "fleet-hung", timeoutSeconds: 60, settings };
  const settingsFolder = join(fleet.folder, "settings");
  await writeSettings({ program, settingsFolder, clusters: [cluster] }, cluster);
  const settingsFile = join(settingsFolder, "Pulumi.fleet-hung.yaml");
  const task = { operation: "up", cluster, program, settingsFile, refreshFirst: false, policyPacks: [] } as const;
  const controller = new AbortController();
  const watch = {
    signal: controller.signal,
    log: () => {},
    progress: (text: string) => {
      if (!text.startsWith("create Cluster")) return;
      for (const { pid, commandLine } of processesOf(fleet)) {
        if (commandLine.includes("worker.ts")) process.kill(pid, "SIGSTOP");
      }
      controller.abort();
    },
  };
  const run = new IsolatedDriver(new EmbeddedDriver(fleet.env), { env: fleet.env, grace: 500 }).run(task, watch);
  await expect(run).rejects.toMatchObject({ message: expect.stringContaining("ended without a word (SIGKILL)") });
  await gone(fleet);
});
