import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { exportStack, importStack, type Value } from "../../engine/index.ts";
import { Cli } from "./cli.ts";
import { type BothEngines, tokenFlow, useCluster } from "./fixture.ts";
import { LinkedProgram } from "./linkedProgram.ts";
import { counted } from "./objects.ts";

const cluster = useCluster();

/** The same stack with a state folder and settings of its own, where the source's settings but no salt have come along. */
async function place(): Promise<BothEngines> {
  return cluster.make("moving");
}

async function exported({ stack }: BothEngines, target: BothEngines, showSecrets = false): Promise<string> {
  const file = join(target.stack.folder, "export.json");
  await writeFile(file, JSON.stringify(await exportStack({ ...stack.options(), showSecrets })));
  return file;
}

describe("a stack that moves by export and import", () => {
  test("from the embedded engine to the CLI: no changes, the same outputs, and destroy leaves nothing", async () => {
    await using source = await place();
    await source.stack.up();
    const outputs = await source.stack.outputs();
    await using target = await place();
    await target.cli.init();
    await target.cli.run(["stack", "import", "--stack", "moving", "--file", await exported(source, target)]);
    await rm(source.stack.stateFile);
    await target.cli.previewNothing();
    expect((await target.cli.up()).steps).toEqual([]);
    expect(await target.cli.outputs()).toEqual(outputs);
    expect(counted(await cluster.objects())).toEqual(tokenFlow);
    await target.cli.destroy();
    expect(await cluster.objects()).toEqual([]);
  });

  test("the CLI takes an export with the secrets shown, and writes none of them down", async () => {
    await using source = await place();
    await source.stack.up();
    const { clusterAccess } = (await source.stack.outputs()) as { clusterAccess: { token: string } };
    await using target = await place();
    await target.cli.init();
    const file = await exported(source, target, true);
    expect(await readFile(file, "utf8")).toContain(clusterAccess.token);
    await target.cli.run(["stack", "import", "--stack", "moving", "--file", file]);
    await rm(source.stack.stateFile);
    expect(await readFile(target.stack.stateFile, "utf8")).not.toContain(clusterAccess.token);
    await target.cli.previewNothing();
    await target.cli.destroy();
    expect(await cluster.objects()).toEqual([]);
  });

  test.each([
    ["encrypted", []],
    ["in plaintext", ["--show-secrets"]],
  ])("from the CLI to the embedded engine, with secrets %s", async (_how, more) => {
    await using source = await place();
    await source.cli.init();
    await source.cli.up();
    const outputs = await source.cli.outputs();
    const { stdout } = await source.cli.run(["stack", "export", "--stack", "moving", ...more]);
    await using target = await place();
    await importStack(target.stack.options(), JSON.parse(stdout) as Value);
    await rm(source.stack.stateFile);
    expect((await target.stack.preview()).changes).toEqual({ same: expect.any(Number) });
    expect(await target.stack.outputs()).toEqual(outputs);
    await target.stack.refresh();
    await target.stack.up();
    expect(target.stack.steps).toEqual([]);
    await target.stack.destroy();
    expect(await cluster.objects()).toEqual([]);
  });

  test("there and back again, through both engines' own export", async () => {
    await using here = await place();
    await here.stack.up();
    await using there = await place();
    await there.cli.init();
    await there.cli.run(["stack", "import", "--stack", "moving", "--file", await exported(here, there)]);
    await there.stack.configure({ audience: "gateway" });
    expect((await there.cli.up()).steps).toEqual(["update ReviewerToken"]);
    const { stdout } = await there.cli.run(["stack", "export", "--stack", "moving"]);
    await importStack(here.stack.options(), JSON.parse(stdout) as Value);
    await rm(there.stack.stateFile);
    await here.stack.configure({ audience: "gateway" });
    expect((await here.stack.preview()).changes).toEqual({ same: expect.any(Number) });
    await here.stack.destroy();
    expect(await cluster.objects()).toEqual([]);
  });
});

test("on one state folder the CLI lists, uses and removes a stack of the embedded engine without a copy", async () => {
  await using both = await place();
  await both.stack.up();
  const outputs = await both.stack.outputs();
  await both.cli.previewNothing();
  const { stdout } = await both.cli.run(["stack", "ls", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject([{ name: expect.stringMatching(/moving$/), resourceCount: 11 }]);
  expect(await both.cli.outputs()).toEqual(outputs);
  await both.cli.destroy();
  await both.cli.run(["stack", "rm", "--stack", "moving", "--yes", "--preserve-config"]);
  await expect(exportStack(both.stack.options())).rejects.toMatchObject({ code: "STACK_MISSING" });
});

test("pulumi stack migrate takes a stack of the embedded engine to another backend, settings and all", async () => {
  await using source = await place();
  await source.stack.configureSecret("akeylessSigningKey", "hush");
  await source.stack.up();
  const outputs = await source.stack.outputs();
  await using linked = await LinkedProgram.make();
  await copyFile(source.stack.configFile, join(linked.folder, "Pulumi.moving.yaml"));
  await using target = await place();
  await mkdir(join(target.stack.folder, "state"));
  const cli = new Cli(target.stack, linked.folder);
  await cli.run(["stack", "migrate", source.stack.env.PULUMI_BACKEND_URL ?? "", "moving", "--yes"]);
  await rm(source.stack.stateFile);
  await cli.run(["preview", "--stack", "moving", "--expect-no-changes"]);
  expect(await cli.outputs()).toEqual(outputs);
  await cli.run(["destroy", "--stack", "moving", "--yes", "--skip-preview"]);
  expect(await cluster.objects()).toEqual([]);
});
