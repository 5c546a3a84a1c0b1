import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { program } from "../../support/project.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "k8sauth-install-"));
  for (const name of ["package.json", "package-lock.json", "runtime", "cli/k8sauth.mjs", "cli/install.mjs"]) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    cpSync(join(program, name), join(folder, name), { recursive: true });
  }
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command of a checkout without its dependencies. */
function run(env: NodeJS.ProcessEnv) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const options = { cwd: folder, encoding: "utf8", env: { ...Object.fromEntries(inherited), ...env } } as const;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(folder, "cli", "k8sauth.mjs"), "start"],
    options,
  );
  return { status, stdout, lines: stderr.trimEnd().split("\n") };
}

describe("a fresh checkout", () => {
  test("without a network says in one line that npm cannot reach its registry, and what to do", {
    timeout: 60_000,
  }, () => {
    const { status, stdout, lines } = run({
      npm_config_registry: "http://127.0.0.1:1/",
      npm_config_cache: join(folder, "cache"),
      npm_config_fetch_retries: "0",
    });
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(lines.filter((line) => !/packages unpacked/.test(line))).toEqual([
      "Installing dependencies (once; npm ci) …",
      expect.stringMatching(
        /^Installing .* failed: npm cannot reach its registry \(ECONNREFUSED\)\. .*npm config set registry URL\.$/,
      ),
    ]);
  });

  test("without npm says in one line that it is needed", () => {
    symlinkSync(process.execPath, join(folder, "node"));
    const { status, lines } = run({ PATH: folder });
    expect(status).toBe(1);
    expect(lines).toEqual(["k8sauth needs npm to install its dependencies; it comes with Node.js."]);
  });
});
