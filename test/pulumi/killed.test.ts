import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { basename, dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { crash } from "../support/crash.ts";
import { type BothEngines, tokenFlow, useCluster } from "./fixture.ts";
import { counted } from "./objects.ts";

const cluster = useCluster();

/**
 * Runs a command of the CLI and kills the CLI with SIGKILL after so many writes of the state. Its language host and
 * plugins live on, and go on with what they were asked to do; the answer ends them.
 */
async function killCli(
  { stack, cli }: BothEngines,
  count: number,
  command: "up" | "destroy" = "up",
): Promise<() => void> {
  let writes = 0;
  let orphans: number[] = [];
  const child = cli.startChange(command);
  const watcher = watch(dirname(stack.stateFile), (_event, name) => {
    if (name !== basename(stack.stateFile) || ++writes !== count) return;
    // Stands still while we look for its children.
    child.kill("SIGSTOP");
    orphans = descendants(child.pid as number);
    child.kill("SIGKILL");
  });
  for (const stream of [child.stdout, child.stderr]) stream?.resume();
  await once(child, "exit");
  watcher.close();
  expect(child.signalCode).toBe("SIGKILL");
  return () => {
    for (const pid of orphans) end(pid);
  };
}

/** The processes below another one. */
function descendants(root: number): number[] {
  const list = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const pairs = list
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  const below = (parent: number): number[] =>
    pairs.filter(([, of]) => of === parent).flatMap(([pid]) => [pid, ...below(pid)]);
  return below(root);
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

describe("after the embedded engine was killed in the middle of an update", () => {
  test.each([3, 8, 14])("the CLI is locked out, cancels, and previews what is left to do (write %i)", async (write) => {
    await using both = await cluster.make("embedded-killed");
    const { reached } = await crash(both.stack, "up", { write });
    expect(reached).toBe(true);
    const locked = await both.cli.run(["refresh", ...both.cli.options, "--yes", "--skip-preview"], { status: 1 });
    expect(locked.stderr).toMatch(/locked by 1 lock/);
    await both.cli.cancel();
    expect((await both.cli.preview()).steps).toContain("create ReviewerToken");

    await both.stack.up();
    expect(counted(await cluster.objects())).toEqual(tokenFlow);
    await both.cli.previewNothing();
  });
});

describe("after the CLI was killed in the middle of an update", () => {
  test.each([3, 6, 9, 12, 15])(
    "the embedded engine goes on and ends with one of each object (write %i)",
    async (write) => {
      await using both = await cluster.make("cli-killed");
      await both.cli.init();
      const endOrphans = await killCli(both, write);
      try {
        await both.stack.up();
      } finally {
        endOrphans();
      }
      expect(counted(await cluster.objects())).toEqual(tokenFlow);
      await both.cli.previewNothing();
      await both.stack.destroy();
      expect(await cluster.objects()).toEqual([]);
    },
  );
});

/** Both credentials, and a user: some of it is made twice or not at all if an interrupted step is read wrongly. */
const flows = {
  certificateFlow: true,
  tokenMode: "tokenRequest",
  bearerTokenUsers: {
    reader: { namespace: "shop", createNamespace: true, rules: [{ resources: ["pods"], verbs: ["get"] }] },
  },
};

describe("in the middle of a change of many objects", () => {
  test.each([4, 12, 20, 28, 36])(
    "the CLI was killed: the embedded engine ends with what it asks for (write %i)",
    async (write) => {
      await using both = await cluster.make("cli-killed", flows);
      await both.cli.init();
      await both.stack.up();
      const before = counted(await cluster.objects());
      await both.stack.configure({
        serviceAccountName: "other-reviewer",
        rotation: { current: "b", previous: [] },
        tokenMode: "secret",
      });
      const endOrphans = await killCli(both, write);
      try {
        await both.stack.up();
      } finally {
        endOrphans();
      }
      expect(counted(await cluster.objects())).toEqual(before);
      await both.cli.previewNothing();
      expect(await both.cli.refresh()).toEqual({ steps: [], diagnostics: [] });
      await both.stack.destroy();
      expect(await cluster.objects()).toEqual([]);
    },
  );

  test.each([4, 12, 20, 28, 36])(
    "the embedded engine was killed: the CLI ends with what it asks for (write %i)",
    async (write) => {
      await using both = await cluster.make("embedded-killed", flows);
      await both.cli.init();
      await both.cli.up();
      const before = counted(await cluster.objects());
      await both.stack.configure({
        serviceAccountName: "other-reviewer",
        rotation: { current: "b", previous: [] },
        tokenMode: "secret",
      });
      const { reached } = await crash(both.stack, "up", { write });
      expect(reached).toBe(true);
      await both.cli.cancel();
      // What the CLI can't know of an interrupted creation, the embedded engine settles.
      await both.stack.up();
      await both.cli.up();
      expect(counted(await cluster.objects())).toEqual(before);
      await both.cli.previewNothing();
      expect((await both.cli.destroy()).diagnostics).toEqual([]);
      expect(await cluster.objects()).toEqual([]);
    },
  );
});

describe("in the middle of a destruction", () => {
  test.each([2, 5, 9])("the CLI was killed: the embedded engine takes the rest away (write %i)", async (write) => {
    await using both = await cluster.make("cli-killed", flows);
    await both.cli.init();
    await both.cli.up();
    const endOrphans = await killCli(both, write, "destroy");
    try {
      await both.stack.destroy();
    } finally {
      endOrphans();
    }
    expect(await cluster.objects()).toEqual([]);
    expect((await both.cli.destroy()).diagnostics).toEqual([]);
  });

  test.each([2, 5, 9])("the embedded engine was killed: the CLI takes the rest away (write %i)", async (write) => {
    await using both = await cluster.make("embedded-killed", flows);
    await both.stack.up();
    const { reached } = await crash(both.stack, "destroy", { write });
    expect(reached).toBe(true);
    await both.cli.cancel();
    await both.cli.destroy();
    expect(await cluster.objects()).toEqual([]);
    await both.stack.up();
    await both.cli.previewNothing();
  });
});
