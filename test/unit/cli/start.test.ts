import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Io } from "../../../cli/command.ts";
import { printOutputs } from "../../../cli/outputs.ts";
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
  // The work itself ends at once, with an error of its own.
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
