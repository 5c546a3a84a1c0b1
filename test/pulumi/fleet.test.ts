import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { gone } from "../support/crash.ts";
import { type FleetProcess, TestFleet } from "../support/fleet.ts";
import { changedKubeconfig } from "../support/kubeconfigs.ts";
import { program } from "../support/stack.ts";
import { useCluster } from "./fixture.ts";
import { Link } from "./link.ts";
import { LinkedProgram } from "./linkedProgram.ts";

const cluster = useCluster();
let linked: LinkedProgram;
let fleet: TestFleet;

beforeEach(async () => {
  linked = await LinkedProgram.make();
  fleet = await TestFleet.make([], { allowLoopbackHost: true }, { program: linked.folder, settingsFolder: undefined });
  fleet.env.PATH = [join(program, "node_modules", ".bin"), process.env.PATH].join(delimiter);
  fleet.env.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION = "true";
  fleet.env.PULUMI_SKIP_UPDATE_CHECK = "true";
  await fleet.makeStateFolder();
});
afterEach(async () => {
  await fleet[Symbol.asyncDispose]();
  await linked[Symbol.asyncDispose]();
});

const kubeconfig = inject("kubeconfig");
const pulumi = ["--engine", "pulumi", "--parallel", "2"];

describe("a fleet by Pulumi's Automation API", () => {
  test("runs up, preview, refresh and destroy on good clusters, and tells of the one that is away", async () => {
    const away = await fleet.file(
      "away",
      changedKubeconfig(kubeconfig, { cluster: { server: "https://127.0.0.1:1" } }),
    );
    await fleet.rewrite([
      { name: "one", kubeconfig },
      { name: "two", kubeconfig, settings: { certificateFlow: true } },
      { name: "away", kubeconfig: away },
    ]);
    const first = await fleet.run("up", ...pulumi);
    expect(first.status, first.output).toBe(1);
    expect(first.report).toMatchObject({ engine: "pulumi", interrupted: false });
    expect(first.report.stacks.map(({ status }) => status)).toEqual(["succeeded", "succeeded", "failed"]);
    expect(first.report.stacks[0]).toMatchObject({ kubernetes: "v1.36.3", credentials: 1 });
    expect(first.report.stacks[2]?.error?.message).toMatch(/KUBE_REFUSED/);
    expect(first.report.credentials.map(({ cluster, name, condition }) => `${cluster} ${name} ${condition}`)).toEqual([
      "two certificate valid",
      "one token endless",
      "two token endless",
    ]);
    const state = await readFile(join(fleet.folder, "report.json"), "utf8");
    expect(state).not.toContain("eyJ");
    const good = ["--only", "one", "--only", "two"];
    const again = await fleet.run("preview", ...pulumi, ...good, "--expect-no-changes");
    expect(again.status, again.output).toBe(0);
    expect((await fleet.run("refresh", ...pulumi, ...good, "--expect-no-changes")).status).toBe(0);
    expect((await fleet.run("report", ...pulumi, ...good)).report.credentials).toHaveLength(3);
    const gone = await fleet.run("destroy", ...pulumi, "--yes");
    expect(gone.report.stacks.map(({ status }) => status)).toEqual(["succeeded", "succeeded", "succeeded"]);
    expect(await cluster.objects()).toEqual([]);
  });

  test("a cluster that says nothing costs its own timeout and nothing more", async () => {
    const { link, kubeconfig: through } = await Link.open(kubeconfig, fleet.folder);
    await using _link = link;
    await link.cut("silent");
    await fleet.rewrite([
      { name: "silent", kubeconfig: through, timeoutSeconds: 15 },
      { name: "good", kubeconfig },
    ]);
    const { report, output } = await fleet.run("up", ...pulumi);
    expect(
      report.stacks.map(({ status }) => status),
      output,
    ).toEqual(["timedOut", "succeeded"]);
    expect(report.stacks[0]?.seconds).toBeLessThan(15 + 15);
    expect((await fleet.run("destroy", ...pulumi, "--yes")).status).toBe(0);
  });

  test.each([
    [
      "Ctrl-C on a terminal, which all processes of its group get",
      (run: FleetProcess) => process.kill(-(run.child.pid ?? 0), "SIGINT"),
    ],
    ["kill -9 of the fleet's process", (run: FleetProcess) => run.child.kill("SIGKILL")],
  ])("stops its stacks after %s, unlocks them, and the next run finishes", async (_how, end) => {
    await fleet.rewrite(["one", "two", "three"].map((name) => ({ name, kubeconfig })));
    const run = fleet.start("up", ...pulumi);
    await fleet.until('"kubernetes:core/v1:ServiceAccount"');
    end(run);
    await run.end();
    await gone(fleet);
    const next = await fleet.run("up", ...pulumi);
    expect(next.status, next.output).toBe(0);
    await fleet.run("destroy", ...pulumi, "--yes");
    expect(await cluster.objects()).toEqual([]);
  });
});

test("without the CLI the error says what to do", async () => {
  fleet.env.PATH = "/nowhere";
  await fleet.rewrite([{ name: "one", kubeconfig }]);
  const { report } = await fleet.run("up", "--engine", "pulumi");
  expect(report.stacks[0]?.error?.message).toMatch(/Pulumi CLI is not on the PATH.*--engine embedded/);
});
