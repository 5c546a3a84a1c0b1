import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StackReport } from "../../../examples/fleet/report.ts";
import { added, inventory } from "../../support/inventory.ts";
import { program } from "../../support/project.ts";
import { leftOf, processesOf } from "../../support/pulumi/pulumiProcess.ts";
import { sharedSandbox } from "../../support/sandbox.ts";
import { admin, before, objectsOf, shared, statuses, TestFleet, timeout } from "./fleetFixture.ts";

describe("up of four clusters, of which one refuses connections and one never answers", () => {
  let fleet: TestFleet;
  let first: { status: number | null; output: string; stacks: readonly StackReport[] };
  let most = 0;

  beforeAll(async () => {
    const certificate = { certificateFlow: true, certificateExpirationSeconds: 86_400 };
    const clusters = {
      refused: { context: "refused" },
      silent: { context: "silent" },
      good: shared("good"),
      certified: shared("certified", { ...certificate, certificateCommonName: "fleet-certified" }),
    };
    fleet = await TestFleet.make(clusters, { timeoutSeconds: 300 });
    const run = fleet.start("up", [], () => {
      const ups = processesOf(fleet).filter(({ commandLine }) => /pulumi\S* up /.test(commandLine));
      // Between fork and exec a child has its parent's command line.
      const runs = ups.filter(({ parent }) => !ups.some(({ pid }) => pid === parent));
      most = Math.max(most, runs.length);
    });
    const status = await run.end();
    first = { status, output: run.output, stacks: await fleet.stacks() };
  }, timeout);
  afterAll(() => fleet?.[Symbol.asyncDispose]());

  test("no failure stops another stack, and the exit status says that some failed", () => {
    expect(first.status, first.output).toBe(1);
    expect(statuses(first.stacks), first.output).toEqual({
      refused: "failed",
      silent: "failed",
      good: "succeeded",
      certified: "succeeded",
    });
  });

  test("no more than two stacks run at the same time", () => {
    expect(most).toBe(2);
  });

  test("every stack says what happens as it happens, and the report says why a stack failed", () => {
    const [refused, silenced] = first.stacks;
    expect(refused?.error).toMatch(/^KUBE_REFUSED: https:\/\/127\.0\.0\.1:1 refused the connection/);
    expect(silenced?.error).toMatch(/^KUBE_TIMEOUT: https:\/\/127\.0\.0\.1:\d+ was too slow/);
    expect(first.output).toMatch(/^up of 4 stacks, 2 at a time; each takes about \d+ MB of memory$/m);
    expect(first.output).toMatch(/^refused {4}failed after [\d.]+ s: KUBE_REFUSED/m);
    expect(first.output).toMatch(
      /^good {7}create ServiceAccount gateway-token-reviewer$[\s\S]*^good {7}succeeded after [\d.]+ s$/m,
    );
    expect(first.output).toMatch(/^2 of 4 succeeded$/m);
    expect(first.stacks[2]).toMatchObject({ cluster: "good", stack: "fleet-good", changes: { create: 10 } });
  });

  test("the page lists what expires when, the first to expire at the top", async () => {
    const rows = [...(await fleet.page()).matchAll(/<tr class="\w*">(.*)<\/tr>/g)].map(([, row = ""]) =>
      [...row.matchAll(/<td>(.*?)<\/td>/g)].map(([, cell]) => cell),
    );
    expect(rows.slice(0, 2).map(([cluster, status]) => [cluster, status])).toEqual([
      ["refused", "failed"],
      ["silent", "failed"],
    ]);
    const date = expect.stringMatching(/^2\d{3}-\d\d-\d\d \d\d:\d\d$/);
    const account = (name: string) => expect.stringMatching(`^system:serviceaccount:.*:${name}$`);
    expect(rows.slice(3)).toEqual([
      ["certified", "certificate", "Certificate", "fleet-certified", date, date, "valid"],
      ["good", "token", "Secret", account("good"), "never", "", "valid"],
      ["certified", "token", "Secret", account("certified"), "never", "", "valid"],
    ]);
  });

  test("output, report and page hold no secrets", async () => {
    const shown = first.output + JSON.stringify(first.stacks) + (await fleet.page());
    for (const cluster of ["good", "certified"]) {
      const args = ["stack", "output", "clusterAccess", "--json", "--show-secrets", "--stack", `fleet-${cluster}`];
      const { stdout } = await promisify(execFile)("pulumi", args, { cwd: fleet.folder, env: fleet.env });
      const access = JSON.parse(stdout) as { token: string };
      expect(access.token.length).toBeGreaterThan(100);
      expect(shown).not.toContain(access.token.slice(0, 100));
    }
    expect(shown).not.toMatch(/PRIVATE KEY|encryptionsalt|v1:/);
  });

  test("`k8sauth check` proves several stacks on one page, and says of one without outputs that it has none", {
    timeout,
  }, async () => {
    const stacks = ["fleet-good", "fleet-certified", "fleet-refused"].map((name) => `--stack=${name}`);
    const main = join(program, "cli", "main.ts");
    const check = async (...args: string[]) => {
      const options = { cwd: fleet.folder, env: fleet.env };
      const run = promisify(execFile)(process.execPath, [main, "check", ...args], options);
      return run.then(
        ({ stdout }) => ({ status: 0, stdout }),
        ({ code, stdout }: { code: number; stdout: string }) => ({ status: code, stdout }),
      );
    };
    const { status, stdout } = await check(...stacks.slice(0, 2));
    expect(status, stdout).toBe(0);
    expect(stdout).toMatch(/^ {2}ok {4}fleet-good +sandbox +https:\S+ +token +\d+ ok +none expires$/m);
    expect(stdout).toMatch(
      /^ {2}ok {4}fleet-certified +sandbox +https:\S+ +certificate, token +\d+ ok +certificate expires in \d+ hours \(/m,
    );
    expect(stdout).toMatch(/^2 of 2 stacks passed\.$/m);
    const withRefused = await check(...stacks, "--json");
    expect(withRefused.status).toBe(1);
    expect(JSON.parse(withRefused.stdout).stacks).toMatchObject([
      { stack: "fleet-good", kinds: ["Secret"] },
      { stack: "fleet-certified" },
      { stack: "fleet-refused", cluster: "refused", findings: [], error: expect.stringContaining("no outputs") },
    ]);
  });

  test("run again, nothing changes; a changed list shows in a preview, and its exit status says so", {
    timeout,
  }, async () => {
    await fleet.list({ good: shared("good") });
    const again = await fleet.run("up", "--expect-no-changes");
    expect(again.status, again.output).toBe(0);
    await fleet.list({ good: shared("good", { audience: "gateway" }) });
    const preview = await fleet.run("preview", "--expect-no-changes");
    expect(preview.status, preview.output).toBe(1);
    expect(preview.stacks[0]).toMatchObject({ status: "failed", changes: { update: 2 } });
    expect(preview.stacks[0]?.error).toMatch(/no changes were expected/);
    expect(Object.keys(preview.stacks[0]?.credentials ?? {})).toEqual(["token"]);
  });
});

test("a policy pack judges every stack", { timeout }, async () => {
  const clusters = { one: shared("gateway-token-reviewer-one"), two: shared("gateway-token-reviewer-two") };
  await using fleet = await TestFleet.make(clusters, { options: { policyPacks: [join(program, "policy")] } });
  const { status, stacks, output } = await fleet.run("up");
  expect(status, output).toBe(1);
  // The address of a sandbox is always a loopback one.
  for (const { status, error } of stacks) {
    expect(status).toBe("failed");
    expect(error).toMatch(/^policy gateway-host: /m);
  }
  expect(stacks).toHaveLength(2);
  expect(added(before, await inventory(admin))).toEqual([]);
});

test("a stack that exceeds the time limit is stopped and unlocked, and the next run finishes it", {
  timeout,
}, async () => {
  const controllers = sharedSandbox().component("kube-controller-manager");
  await using fleet = await TestFleet.make({ slow: shared("slow") }, { timeoutSeconds: 20 });
  // Without its controllers the cluster issues no token, and the run waits for it.
  controllers.pause();
  const first = await fleet.run("up").finally(() => controllers.resume());
  expect(first.status, first.output).toBe(1);
  expect(statuses(first.stacks), first.output).toEqual({ slow: "timed out" });
  expect(first.stacks[0]?.error).toMatch(/^no end within 20 s; stopped at: create /);
  await fleet.list({ slow: shared("slow") });
  const second = await fleet.run("up");
  expect(second.status, second.output).toBe(0);
  expect(added(before, await inventory(admin))).toEqual(objectsOf("slow"));
});

describe("an interrupted run stops its stacks, starts no other, and the next run finishes them", () => {
  test.each([
    ["Ctrl-C on a terminal, which reaches every process", (pid: number) => process.kill(-pid, "SIGINT")],
    ["SIGTERM to the fleet's process alone", (pid: number) => process.kill(pid, "SIGTERM")],
  ])("%s", { timeout }, async (_how, interrupt) => {
    const names = ["one", "two"];
    const clusters = Object.fromEntries(names.map((name) => [name, shared(name)]));
    await using fleet = await TestFleet.make(clusters, { parallel: 1 });
    let sent = false;
    const run = fleet.start("up", [], () => {
      if (sent || !/create ServiceAccount/.test(run.output)) return;
      sent = true;
      interrupt(run.child.pid ?? 0);
    });
    expect(await run.end(), run.output).toBe(130);
    await expect.poll(() => leftOf(fleet)).toEqual([]);
    expect(statuses(await fleet.stacks()), run.output).toEqual({ one: "interrupted", two: "not started" });
    const next = await fleet.run("up");
    expect(next.status, next.output).toBe(0);
    expect(added(before, await inventory(admin))).toEqual(objectsOf(...names));
  });
});
