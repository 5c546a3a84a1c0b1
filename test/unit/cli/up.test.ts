import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QuietOutput, up } from "../../../cli/start/up.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "k8sauth-up-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const lines = Array.from({ length: 80 }, (_, number) => `line ${number}\n`).join("");

/** Runs `up` without a terminal with a program in place of Pulumi that prints 80 lines and its arguments. */
async function run(status: number, verbose: boolean) {
  const command = join(folder, "pulumi");
  writeFileSync(join(folder, "lines"), lines);
  const script = `#!/bin/sh\ncat '${join(folder, "lines")}'\necho "$@" >&2\nexit ${status}\n`;
  writeFileSync(command, script, { mode: 0o755 });
  const written = { out: "", err: "" };
  const keep = (where: "out" | "err") => (text: string) => {
    written[where] += text;
  };
  const io = { out: keep("out"), err: keep("err"), tty: false, env: {}, signal: new AbortController().signal };
  const env = { ...process.env, PULUMI_HOME: folder, PULUMI_BACKEND_URL: `file://${folder}` };
  const options = { pulumi: { command, built: false, env }, stack: "sandbox", folder, verbose };
  const error = await up(options, io).then(
    () => undefined,
    ({ message }: Error) => message,
  );
  return { ...written, error };
}

describe("pulumi up without a terminal", () => {
  test("prints nothing of Pulumi's output if it succeeds", async () => {
    expect(await run(0, false)).toEqual({ out: "", err: "", error: undefined });
  });

  test("prints all of it after a failure", async () => {
    const { out, err, error } = await run(255, false);
    expect(out).toBe("");
    expect(err).toContain(lines);
    expect(err).toContain("up --stack sandbox");
    expect(error).toBe("`pulumi up` ended with exit status 255. Run the command again to continue.");
  });

  test("prints all of it with --verbose", async () => {
    expect((await run(0, true)).out).toContain(lines);
  });
});

test("progress counts the resources that are finished", () => {
  let clock = 0;
  const output = new QuietOutput(() => clock);
  output.add(" +  pulumi:pulumi:Stack k8sauth-sandbox creating (0s)\n +  tls:index:PrivateKey key creating (0s)\n");
  output.add(
    " +  tls:index:PrivateKey key created (0.21s)\n +  tls:index:PrivateKey key created (0.21s) 1 warning\n ~  kubernetes:core/v1:Secret token updated (1s) [diff: +data]\n",
  );
  clock = 4_200;
  expect(output.progress()).toBe("pulumi up: 2 resources changed, 4.2 s");
});
