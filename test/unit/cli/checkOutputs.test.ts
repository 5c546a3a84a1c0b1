import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkCommand } from "../../../cli/check.ts";
import { UsageError } from "../../../cli/usage.ts";

const folder = mkdtempSync(join(tmpdir(), "k8sauth-outputs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const none = () => {};
const io = { out: none, err: none, tty: false, env: {}, signal: new AbortController().signal };

test("a file of outputs that does not exist is a usage error", async () => {
  await expect(checkCommand.run(["--outputs", join(folder, "none")], io)).rejects.toThrow(
    new UsageError(`--outputs: the file ${join(folder, "none")} cannot be read (ENOENT)`),
  );
});

test.each([
  ["no JSON", "canary-of-a-token", "as a JSON object"],
  ["an unfinished object", '{"authConfigs": "canary-of-a-token', "as a JSON object"],
  ["a list", '["canary-of-a-token"]', "as a JSON object"],
  ["null", "null", "as a JSON object"],
  ["masked secrets", '{"authConfigs": "[secret]", "canary-of-a-token": 1}', "are masked"],
])("a file of outputs with %s is a usage error that repeats nothing of it", async (_, text, message) => {
  const file = join(folder, "outputs.json");
  writeFileSync(file, text);
  const error = await checkCommand.run(["--outputs", file], io).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(message);
  expect(String(error)).toContain("--show-secrets");
  expect(String(error)).not.toContain("canary");
});
