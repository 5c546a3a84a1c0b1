import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { lockStack } from "../../../engine/lock.ts";
import { spawnNode } from "../../support/spawnNode.ts";

let folder: string;
let notices: string[];
const notice = (message: string) => notices.push(message);

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "k8sauth-lock-")), "organization", "shop", "dev");
  await mkdir(folder, { recursive: true });
  notices = [];
});
afterEach(() => rm(join(folder, "..", "..", ".."), { recursive: true, force: true }));

const held = () => readdir(folder);

async function leave(content: object | string): Promise<void> {
  await writeFile(join(folder, "left.json"), typeof content === "string" ? content : JSON.stringify(content));
}

const cliLock = { pid: process.pid, username: "root", hostname: hostname(), timestamp: "2026-01-01T00:00:00Z" };

/** A process id that nothing has. */
async function deadPid(): Promise<number> {
  const { child, kill } = spawnNode("setInterval(() => {}, 1000)");
  await kill();
  return child.pid ?? expect.fail("no process was started");
}

test("is a file with the fields of the Pulumi CLI's lock, and goes when it is released", async () => {
  const lock = await lockStack(folder, notice);
  const [file = ""] = await held();
  expect(file).toMatch(/^[0-9a-f-]{36}\.json$/);
  expect(JSON.parse(await readFile(join(folder, file), "utf8"))).toMatchObject({
    pid: process.pid,
    hostname: hostname(),
    username: expect.any(String),
    timestamp: expect.stringMatching(/^\d{4}-/),
  });
  await lock.release();
  expect(await held()).toEqual([]);
  expect(await readdir(join(folder, ".."))).toEqual(["dev"]);
});

test("of two that want it one gets it", async () => {
  const lock = await lockStack(folder, notice);
  await expect(lockStack(folder, notice)).rejects.toMatchObject({
    code: "STACK_LOCKED",
    message: expect.stringContaining(`process ${process.pid}`),
  });
  expect((await held()).length).toBe(1);
  await lock.release();
  await (await lockStack(folder, notice)).release();
});

describe("a lock of this machine", () => {
  test("whose process is gone is removed with a notice", async () => {
    const pid = await deadPid();
    await leave({ ...cliLock, pid });
    const lock = await lockStack(folder, notice);
    expect(await held()).not.toContain("left.json");
    expect(notices).toEqual([expect.stringContaining(`process ${pid}`)]);
    await lock.release();
  });

  test("whose process has ended is removed, also while its parent has not taken note of that", async () => {
    // A shell that becomes a program which never waits for the shell's child.
    const parent = spawn("sh", ["-c", "sh -c 'echo $$' & exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      const [text] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = Number(text.toString());
      await vi.waitFor(async () => expect(await readFile(`/proc/${pid}/stat`, "utf8")).toContain(") Z "));
      await leave({ ...cliLock, pid });
      await (await lockStack(folder, notice)).release();
      expect(notices).toEqual([expect.stringContaining(`process ${pid}`)]);
    } finally {
      parent.kill("SIGKILL");
    }
  });

  test("whose process number now belongs to another process is removed", async () => {
    await leave({ ...cliLock, started: "1" });
    await (await lockStack(folder, notice)).release();
    expect(notices.length).toBe(1);
  });

  test("of the CLI is respected while a process has its number: nothing tells that it is another", async () => {
    await leave(cliLock);
    await expect(lockStack(folder, notice)).rejects.toMatchObject({ code: "STACK_LOCKED" });
    expect(await held()).toEqual(["left.json"]);
  });
});

test("a lock of another machine is never taken for stale", async () => {
  await leave({ ...cliLock, hostname: "elsewhere", pid: await deadPid() });
  await expect(lockStack(folder, notice)).rejects.toMatchObject({
    code: "STACK_LOCKED",
    message: expect.stringMatching(/elsewhere.*pulumi cancel/s),
  });
});

test.each(["", "{", "[]", '{"pid":"1"}'])("the unreadable lock %j is respected, and named", async (content) => {
  await leave(content);
  await expect(lockStack(folder, notice)).rejects.toMatchObject({ message: expect.stringContaining("left.json") });
  expect(await held()).toEqual(["left.json"]);
});

test("a process that is killed while it locks leaves nothing that can't be read", async () => {
  const source = `
    import { lockStack } from ${JSON.stringify(new URL("../../../engine/lock.ts", import.meta.url).href)};
    process.stdout.write("ready\\n");
    for (;;) await (await lockStack(${JSON.stringify(folder)}, () => {})).release();`;
  for (const delay of [0, 2, 5]) {
    const process = spawnNode(source);
    await process.line(/ready/);
    await new Promise((resolve) => setTimeout(resolve, delay));
    await process.kill();
    await (await lockStack(folder, notice)).release();
  }
  expect(await held()).toEqual([]);
});
