import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TemporaryFolder } from "../../../sandbox/pulumi/temporary.ts";
import { spawnNode } from "../../support/processes/spawnNode.ts";

const module = JSON.stringify(fileURLToPath(new URL("../../../sandbox/pulumi/temporary.ts", import.meta.url)));
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "k8sauth-temporary-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const folders = () => readdirSync(join(home, "tmp"));

/** A process that creates a folder with a file in it. */
async function another(then: string): Promise<{ process: ReturnType<typeof spawnNode>; path: string }> {
  const process = spawnNode(`
    const { writeFileSync } = await import("node:fs");
    const { TemporaryFolder } = await import(${module});
    const temporary = TemporaryFolder.create(${JSON.stringify(home)});
    writeFileSync(temporary.path + "/kubeconfig1", "");
    ${then}
  `);
  const [, path = ""] = (await process.line(/^folder /)).split(" ");
  return { process, path };
}
const stay = 'console.log("folder " + temporary.path); setInterval(() => {}, 1e6);';

describe("the folder for temporary files of the CLI", () => {
  test("is for its user alone, and is removed with what is in it", () => {
    const temporary = TemporaryFolder.create(home);
    for (const folder of [join(home, "tmp"), temporary.path]) expect(statSync(folder).mode & 0o777).toBe(0o700);
    writeFileSync(join(temporary.path, "kubeconfig1"), "");
    temporary[Symbol.dispose]();
    expect(folders()).toEqual([]);
  });

  test("is one for each run of a process", () => {
    using one = TemporaryFolder.create(home);
    using other = TemporaryFolder.create(home);
    expect(folders()).toHaveLength(2);
    expect(one.path).not.toBe(other.path);
  });

  test("is removed when its process exits", async () => {
    const { process, path } = await another('console.log("folder " + temporary.path); process.exit(130);');
    await process.closed;
    expect(existsSync(path)).toBe(false);
  });

  test("of a killed process is removed by the next run, that of a running one is not", async () => {
    const { process, path } = await another(stay);
    TemporaryFolder.create(home)[Symbol.dispose]();
    expect(existsSync(join(path, "kubeconfig1"))).toBe(true);
    await process.kill();
    expect(existsSync(join(path, "kubeconfig1"))).toBe(true);
    TemporaryFolder.create(home)[Symbol.dispose]();
    expect(folders()).toEqual([]);
  });

  test("of a killed process is kept for as long as the CLI that it started runs", async () => {
    const cli = spawnNode('console.log("runs"); setInterval(() => {}, 1e6);');
    await cli.line(/runs/);
    const { process, path } = await another(`temporary.keepFor(${cli.child.pid}); ${stay}`);
    await process.kill();
    TemporaryFolder.create(home)[Symbol.dispose]();
    expect(existsSync(path)).toBe(true);
    await cli.kill();
    TemporaryFolder.create(home)[Symbol.dispose]();
    expect(folders()).toEqual([]);
  });
});
