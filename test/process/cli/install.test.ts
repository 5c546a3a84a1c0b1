import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
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

/** The environment without the variables of the `npm` that runs the tests. */
function environment(more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  return { ...Object.fromEntries(inherited), ...more };
}

/** Ids of the processes whose working directory is a folder. */
function processesIn(path: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`) === path;
    } catch {
      return false;
    }
  });
}

/** Runs the command of a checkout without its dependencies. */
function run(env: NodeJS.ProcessEnv) {
  const options = { cwd: folder, encoding: "utf8", env: environment(env) } as const;
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

  test.each(["SIGINT", "SIGTERM"] as const)(
    "that is interrupted by %s leaves no npm that goes on installing",
    async (signal) => {
      // A registry that accepts connections and does not answer.
      const registry = createServer().listen(0, "127.0.0.1");
      await once(registry, "listening");
      const { port } = registry.address() as AddressInfo;
      const env = environment({
        npm_config_registry: `http://127.0.0.1:${port}/`,
        npm_config_cache: join(folder, "cache"),
      });
      const child = spawn(process.execPath, [join(folder, "cli", "k8sauth.mjs"), "start"], { cwd: folder, env });
      let said = "";
      child.stderr.setEncoding("utf8").on("data", (text) => {
        said += text;
      });
      await once(registry, "connection");
      expect(processesIn(folder).length).toBeGreaterThan(1);
      child.kill(signal);
      const [status] = await once(child, "close");
      registry.close();
      expect(status).toBe(128 + constants.signals[signal]);
      expect(said).toMatch(/was cancelled\. The next run starts it again\.\n$/);
      await vi.waitFor(() => expect(processesIn(folder)).toEqual([]), 10_000);
    },
  );

  test("without npm says in one line that it is needed", () => {
    symlinkSync(process.execPath, join(folder, "node"));
    const { status, lines } = run({ PATH: folder });
    expect(status).toBe(1);
    expect(lines).toEqual(["k8sauth needs npm to install its dependencies; it comes with Node.js."]);
  });
});
