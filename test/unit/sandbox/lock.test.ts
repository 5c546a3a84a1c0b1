import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withLock } from "../../../sandbox/build/lock.ts";
import { identify, isAlive } from "../../../sandbox/build/process.ts";

let dir: string;
let path: string;
const options = { timeoutMs: 10_000, what: "Testing" };

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lock-test-"));
  path = join(dir, "a.lock");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("one at a time, each in the end, and no file is left", async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(path, options, work)));
  expect(most).toBe(1);
  expect(existsSync(path)).toBe(false);
});

test("the lock of a killed process is taken over at once", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await once(child, "spawn");
  const holder = identify(child.pid!);
  writeFileSync(path, JSON.stringify(holder));
  child.kill("SIGKILL");
  await once(child, "close");
  expect(isAlive(holder)).toBe(false);
  expect(await withLock(path, { ...options, timeoutMs: 0 }, async () => "mine")).toBe("mine");
});

test("a lock that names a pid which now is another process's is taken over", async () => {
  if (process.platform !== "linux") return expect(identify(process.pid).started).toBe("");
  writeFileSync(path, JSON.stringify({ pid: process.pid, started: "1" }));
  expect(await withLock(path, { ...options, timeoutMs: 0 }, async () => "mine")).toBe("mine");
});

test("a holder that lives is named in the error and keeps its lock", async () => {
  writeFileSync(path, JSON.stringify(identify(process.pid)));
  await expect(withLock(path, { ...options, timeoutMs: 0 }, async () => {})).rejects.toMatchObject({
    code: "SANDBOX_BUSY",
    message: expect.stringContaining(`pid ${process.pid}`),
  });
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(identify(process.pid));
});

test("waiting can be cancelled", async () => {
  writeFileSync(path, JSON.stringify(identify(process.pid)));
  const signal = AbortSignal.abort();
  await expect(withLock(path, { ...options, signal }, async () => {})).rejects.toMatchObject({
    code: "SANDBOX_ABORTED",
  });
});

test("the lock is let go when the work fails", async () => {
  await expect(withLock(path, options, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(existsSync(path)).toBe(false);
});
