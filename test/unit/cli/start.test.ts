import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Io } from "../../../cli/command.ts";
import { printOutputs, summarizeOutputs } from "../../../cli/outputs.ts";
import { ownProjectFolder } from "../../../cli/stack.ts";
import { startCommand } from "../../../cli/start.ts";
import { identify } from "../../../sandbox/build/process.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "k8sauth-start-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function io(err: (text: string) => void, signal = new AbortController().signal): Io {
  // The work ends at once too, with another error.
  const env = { XDG_STATE_HOME: folder, K8SAUTH_PULUMI: "unusable" };
  return { out: () => {}, err, tty: false, env, signal };
}

describe("a second demonstration of one user", () => {
  let lock: string;
  const args = ["--kubeconfig", "of-another-cluster"];

  beforeEach(() => {
    mkdirSync(join(folder, "k8sauth"));
    lock = join(folder, "k8sauth", "start.lock");
    writeFileSync(lock, JSON.stringify(identify(process.pid)));
  });

  test("waits until the first one has ended, and says so once", async () => {
    const said: string[] = [];
    const waits = Promise.withResolvers<void>();
    const run = startCommand.run(
      args,
      io((text) => {
        said.push(text);
        waits.resolve();
      }),
    );
    const ended = expect(run).rejects.toMatchObject({ code: "SANDBOX_OPTION_INVALID" });
    await waits.promise;
    rmSync(lock);
    await ended;
    expect(said).toEqual([`Waiting for another \`k8sauth start\` (pid ${process.pid}) to end.\n`]);
    expect(existsSync(lock)).toBe(false);
  });

  test("can be interrupted while it waits", async () => {
    const interrupt = new AbortController();
    const run = startCommand.run(
      args,
      io(() => interrupt.abort(), interrupt.signal),
    );
    await expect(run).rejects.toMatchObject({ code: "SANDBOX_ABORTED" });
    expect(existsSync(lock)).toBe(true);
  });
});

describe("a machine on which nothing can be built", () => {
  const start = async (...args: string[]) => {
    let out = "";
    const env = { HOME: folder, XDG_STATE_HOME: folder, XDG_CACHE_HOME: folder, PATH: folder };
    const keep = (text: string) => {
      out += text;
    };
    const error = await startCommand.run(args, { ...io(() => {}), env, out: keep }).catch((thrown: Error) => thrown);
    return { out, error };
  };

  test("without Go says in one line how to get it", async () => {
    const { out, error } = await start();
    expect(out).toMatch(/^1\/5 {2}Pulumi +[\d.]+ s {2}failed\n$/);
    expect(error).toMatchObject({
      code: "SANDBOX_GO_MISSING",
      message: expect.stringMatching(/^The sandbox .* no `go` on the PATH\. Install Go 1\.26 or later \(https:.*$/),
    });
  });

  test("without a network says so in one line, and with --verbose shows the output of Go", async () => {
    const go = "#!/bin/sh\necho 'go: k8s.io/api: dial tcp: lookup proxy.example: no such host' >&2\nexit 1\n";
    writeFileSync(join(folder, "go"), go, { mode: 0o755 });
    expect((await start()).error).toMatchObject({
      code: "SANDBOX_DOWNLOAD_FAILED",
      message: expect.stringMatching(/^Go modules could not be downloaded\. Check the network, .*--verbose$/),
    });
    expect((await start("--verbose")).error).toMatchObject({ message: expect.stringContaining("\n  go: k8s.io/api") });
  });
});

describe("the project of the demonstration", () => {
  test("is in a folder that links to this product's Pulumi.yaml", () => {
    symlinkSync(join(root, "Pulumi.yaml"), join(folder, "Pulumi.yaml"));
    expect(ownProjectFolder(folder)).toBe(folder);
  });

  test("is this product's own in a folder without a project and in one of another project", () => {
    expect(`${ownProjectFolder(folder)}/`).toBe(root);
    writeFileSync(join(folder, "Pulumi.yaml"), "name: another\nruntime: nodejs\n");
    expect(`${ownProjectFolder(folder)}/`).toBe(root);
  });
});

test("outputs are summarized by their names, without a value, and those with secrets are marked", () => {
  const key = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
  const outputs = {
    notes: ["one"],
    authConfigs: { token: { vault: { host: "https://a" }, akeyless: { token: "eyJ" } }, certificate: { akeyless: {} } },
    cluster: { host: "https://a", caFingerprint: "AA" },
    kubeconfigs: { certificate: key },
    bearerTokenUsers: {},
  };
  expect(summarizeOutputs(outputs)).toBe(`  authConfigs       secret  certificate (akeyless), token (akeyless, vault)
  bearerTokenUsers          none
  cluster                   caFingerprint, host
  kubeconfigs       secret  certificate
  notes                     a list of 1
`);
});

test("outputs are printed by name, lists with dashes, and PEM by its first line in both encodings", () => {
  const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  let printed = "";
  printOutputs(
    {
      notes: ["one", "two"],
      none: [],
      access: { ca: pem, encoded: Buffer.from(pem).toString("base64"), audience: "" },
    },
    {
      ...io(() => {}),
      out: (text) => {
        printed += text;
      },
    },
  );
  expect(printed).toBe(`  access:
    audience: -
    ca: -----BEGIN CERTIFICATE----- …
    encoded: -----BEGIN CERTIFICATE----- … (in base64)
  none: none
  notes:
    - one
    - two
`);
});
