/** The part of `doctor` that starts programs: it examines the machine. */
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { examineMachine } from "../../../cli/doctor/machine.ts";
import { doctorCommand } from "../../../cli/doctor.ts";
import { oldestVersion } from "../../../sandbox/pulumi/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "k8sauth-doctor-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Puts a shell script on the PATH of the machine that is examined. */
function script(name: string, text: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(folder, name), 0o755);
}

async function examined(subject: string) {
  const env = { HOME: folder, XDG_CACHE_HOME: folder, PATH: folder };
  return (await examineMachine(env)).find((diagnosis) => diagnosis.subject === subject);
}

describe("the machine", () => {
  test("without Node.js, Pulumi and Go fails with what to install", async () => {
    expect(await examined("Node.js")).toMatchObject({ status: "note", remedy: expect.stringContaining("npx --no") });
    expect(await examined("Pulumi CLI")).toMatchObject({
      status: "failed",
      seen: expect.stringContaining("SANDBOX_GO_MISSING"),
      remedy: expect.stringMatching(/Install Pulumi .*https.* Or install Go\./),
    });
    expect(await examined("Go")).toMatchObject({
      status: "note",
      remedy: expect.stringContaining("https://go.dev/dl/"),
    });
  });

  test("has the Node.js that plain pulumi would use", async () => {
    symlinkSync(process.execPath, join(folder, "node"));
    expect(await examined("Node.js")).toEqual({
      subject: "Node.js",
      status: "ok",
      seen: `${process.version}, ${process.execPath}`,
    });
  });

  test("with an older Node.js on the PATH is named with the version that is needed", async () => {
    script("node", `echo '{"version":"v20.1.0","features":{},"execPath":"/usr/bin/node"}'`);
    expect(await examined("Node.js")).toMatchObject({
      status: "note",
      seen: "v20.1.0, /usr/bin/node",
      remedy: expect.stringMatching(/needs Node\.js >= 24/),
    });
  });

  test("with an installed Pulumi needs no Go", async () => {
    script("pulumi", `echo v${oldestVersion}`);
    script("pulumi-language-nodejs", "exit 0");
    const seen = `${oldestVersion}, ${join(folder, "pulumi")}`;
    expect(await examined("Pulumi CLI")).toEqual({ subject: "Pulumi CLI", status: "ok", seen });
    expect(await examined("Go")).toMatchObject({ status: "note" });
  });

  test("with a Pulumi that is too old fails", async () => {
    script("pulumi", "echo v3.1.0");
    expect(await examined("Pulumi CLI")).toMatchObject({
      status: "failed",
      seen: expect.stringMatching(/is Pulumi 3\.1\.0.*Upgrade it/),
    });
  });
});

describe("k8sauth doctor", () => {
  const run = async (...args: string[]) => {
    let out = "";
    const env = { HOME: folder, XDG_CACHE_HOME: folder, PATH: folder };
    const io = {
      out: (text: string) => {
        out += text;
      },
      err: () => {},
      tty: false,
      env,
      signal: new AbortController().signal,
    };
    return { status: await doctorCommand.run(args, io), out };
  };

  test("of a machine without a kubeconfig examines the machine alone, and exits with 1 for what failed", async () => {
    const { status, out } = await run();
    expect(status).toBe(1);
    expect(out).toMatch(
      /^This machine\n.*FAIL {2}Pulumi CLI .*\nThe cluster\n {2}note {2}kubeconfig .*KUBECONFIG_NOT_FOUND/s,
    );
  });

  test("exits with 0 where nothing failed", async () => {
    script("pulumi", `echo v${oldestVersion}`);
    script("pulumi-language-nodejs", "exit 0");
    expect((await run()).status).toBe(0);
  });

  test("prints JSON on request, in which a kubeconfig that was named and is missing has failed", async () => {
    const { out } = await run("--json", "--kubeconfig", join(folder, "none"));
    expect(JSON.parse(out)).toMatchObject({
      machine: expect.arrayContaining([expect.objectContaining({ subject: "Go", status: "note" })]),
      cluster: [{ subject: "kubeconfig", status: "failed" }],
    });
  });

  test("fails without a kubeconfig if an option is about the cluster", async () => {
    const { out } = await run("--json", "--host", "https://api.example.com");
    expect(JSON.parse(out)).toMatchObject({ cluster: [{ subject: "kubeconfig", status: "failed" }] });
  });

  test("refuses an unknown flow as wrong usage", async () => {
    await expect(run("--flow", "basic")).rejects.toThrow(
      'there is no flow "basic": expected token, certificate, verifier',
    );
  });
});
