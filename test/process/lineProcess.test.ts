import { expect, test } from "vitest";
import { LineProcess } from "../../demo/gateways/lines.ts";

test("a process that a signal ended fails its questions, and its disposal ends", async () => {
  const lines = new LineProcess("the shell", "/bin/sh", ["-c", "kill -INT $$"]);
  await expect(lines.ask({})).rejects.toThrow("the shell ended");
  await lines[Symbol.asyncDispose]();
});
