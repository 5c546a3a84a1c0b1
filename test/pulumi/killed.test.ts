import { once } from "node:events";
import { watch } from "node:fs";
import { basename, dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { crash, gone } from "../support/crash.ts";
import { type BothEngines, tokenFlow, useCluster } from "./fixture.ts";
import { counted } from "./objects.ts";

const cluster = useCluster();

/** Runs the CLI's update and kills the CLI with SIGKILL after so many writes of the state; its plugins may live on. */
async function killCli({ stack, cli }: BothEngines, count: number): Promise<void> {
  let writes = 0;
  const child = cli.startUp();
  const watcher = watch(dirname(stack.stateFile), (_event, name) => {
    if (name === basename(stack.stateFile) && ++writes === count) child.kill("SIGKILL");
  });
  for (const stream of [child.stdout, child.stderr]) stream?.resume();
  await once(child, "exit");
  watcher.close();
  expect(child.signalCode).toBe("SIGKILL");
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
      await killCli(both, write);
      await both.stack.up();
      await gone(both.stack);
      expect(counted(await cluster.objects())).toEqual(tokenFlow);
      await both.cli.previewNothing();
      await both.stack.destroy();
      expect(await cluster.objects()).toEqual([]);
    },
  );
});
