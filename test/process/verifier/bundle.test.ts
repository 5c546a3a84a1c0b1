import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bundle, bundleClient, bundleVerifier, nodeFlags } from "../../../verifier/bundle/bundle.ts";
import { VerifierProcess } from "../../support/verifier/process.ts";
import { mint } from "../../support/verifier/tokens.ts";
import { ask, Folder, keySettings } from "../../support/verifier/verifier.ts";

const emit = fileURLToPath(new URL("../../../verifier/bundle/emit.ts", import.meta.url));
const folder = new Folder();
let verifier: Bundle;
let client: Bundle;
beforeAll(async () => {
  [verifier, client] = await Promise.all([bundleVerifier(), bundleClient()]);
});
afterAll(() => folder[Symbol.dispose]());

test("both builds are reproducible, and their SHA-256 is that of the content", async () => {
  expect(await bundleVerifier()).toEqual(verifier);
  expect(await bundleClient()).toEqual(client);
  for (const { code, sha256 } of [verifier, client])
    expect(createHash("sha256").update(code).digest("hex")).toBe(sha256);
});

test("they fit into a ConfigMap and its annotations, in readable form", () => {
  // kubectl apply keeps an object as JSON in an annotation, and 262,144 bytes are all that annotations may have. Configuration and
  // keys need less than the 15,000 that are left.
  expect(Buffer.byteLength(JSON.stringify(verifier.code))).toBeLessThanOrEqual(230_000);
  expect(Buffer.byteLength(JSON.stringify(verifier.licenses))).toBeLessThanOrEqual(16_000);
  expect(Buffer.byteLength(JSON.stringify(client.code))).toBeLessThanOrEqual(40_000);
  for (const { code } of [verifier, client]) {
    const lines = code.split("\n");
    expect(code.length / lines.length).toBeLessThan(60);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(1_500);
  }
});

test("they are written to a folder, with SHA-256 sums that sha256sum checks", () => {
  using target = new Folder();
  const out = join(target.path, "new");
  const run = spawnSync(process.execPath, [emit, out], { encoding: "utf8" });
  expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: "" });
  expect(readFileSync(join(out, "verifier.mjs"), "utf8")).toBe(verifier.code);
  expect(readFileSync(join(out, "client.mjs"), "utf8")).toBe(client.code);
  for (const { name, licenses } of [verifier, client])
    expect(readFileSync(join(out, `${name}.licenses.txt`), "utf8")).toBe(licenses);
  const check = spawnSync("sha256sum", ["--check", "--strict"], { input: run.stdout, encoding: "utf8" });
  const files = readdirSync(out).map((name) => `${join(out, name)}: OK`);
  expect({ status: check.status, lines: check.stdout.trim().split("\n").sort() }).toEqual({
    status: 0,
    lines: files.sort(),
  });
});

test("they contain nothing of the machine that builds them", () => {
  for (const { code } of [verifier, client]) {
    expect(code).not.toContain(process.cwd());
    expect(code).not.toMatch(/\/home\/|\/root\/|\/tmp\//);
    expect(code).not.toContain("sourceMappingURL");
  }
});

test("the service stands alone: no other part of the repository is in it", () => {
  const files = [...verifier.code.matchAll(/^\/\/ (\S+\.[cm]?[jt]s)$/gm)].map((found) => found[1] ?? "");
  expect(files.length).toBeGreaterThan(30);
  for (const file of files) expect(file).toMatch(/^(verifier|node_modules)\//);
});

test("they import nothing but Node.js, and the service starts no processes, threads or code of others", () => {
  const modules = (code: string) =>
    [...code.matchAll(/(?:from|require\(|import) ?\(?"([^"./][^"]*)"/g)].map((found) => found[1] ?? "");
  for (const { code } of [verifier, client]) {
    for (const name of modules(code)) expect(name.replace("node:", "")).toMatch(/^[a-z0-9_]+(\/promises)?$/);
  }
  expect(modules(verifier.code)).not.toContain("node:child_process");
  expect(verifier.code).not.toMatch(/\beval\(|new Function\(/);
});

describe("run by plain node with few permissions", () => {
  test("the service answers, and its metrics can be read", async () => {
    await using one = await VerifierProcess.start(folder.path, {
      audience: "verifier.example",
      ...keySettings(folder),
    });
    const now = Math.floor(Date.now() / 1000);
    expect((await one.ask(mint({ iat: now, nbf: now, exp: now + 600 }))).status).toBe(200);
    const { status, body } = await ask(one.adminPort, undefined, {}, "GET", "/metrics");
    expect(status).toBe(200);
    expect(body).toMatch(/k8sauth_verifier_verification_duration_seconds_count 1/);
    expect(one.output.every((line) => line.startsWith("{"))).toBe(true);
  });
  test("it cannot read files without permission", async () => {
    using other = new Folder();
    const work = VerifierProcess.start(folder.path, { audience: "verifier.example", ...keySettings(other) });
    await expect(work).rejects.toThrow(/FILE_UNREADABLE.*ERR_ACCESS_DENIED/);
  });
  test.each<[readonly string[], number, string]>([
    [[], 2, "CONFIG_AUDIENCE_MISSING"],
    [["--unknown"], 2, "CONFIG_UNKNOWN_SETTING"],
    [["--help"], 0, "Usage: node verifier.mjs"],
    [
      ["--audience", "a", "--mode", "jwt-pubkey", "--issuer", "i", "--public-key-file", "/not/there"],
      1,
      "FILE_UNREADABLE",
    ],
  ])("%j ends with %i and %s", (args, status, text) => {
    const bundle = folder.write("verifier.mjs", verifier.code);
    const run = spawnSync(process.execPath, [...nodeFlags, `--allow-fs-read=${folder.path}/`, bundle, ...args], {
      encoding: "utf8",
      env: {},
      timeout: 10_000,
    });
    expect(run.status).toBe(status);
    expect(run.stdout).toContain(text);
    expect(run.stderr).toBe("");
  });
});
