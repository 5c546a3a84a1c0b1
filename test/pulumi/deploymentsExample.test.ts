import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";
import { program } from "../support/project.ts";

test("every command and flag in the set-up for Pulumi Deployments is one of the CLI's", async () => {
  const { command, env } = await ensurePulumi({ env: { ...process.env, K8SAUTH_PULUMI: "build" } });
  const folder = await mkdtemp(join(tmpdir(), "k8sauth-deployments-"));
  try {
    // With --help the CLI reads the command line and does nothing; it fails if it does not know a flag.
    await writeFile(join(folder, "pulumi"), `#!/bin/sh\nexec "${command}" "$@" --help\n`, { mode: 0o755 });
    const script = join(program, "examples", "deployments", "setup.sh");
    const { stdout, stderr } = await promisify(execFile)("sh", [script, "acme/k8sauth/prod", "acme/k8sauth"], {
      env: { ...env, PATH: `${folder}:${env.PATH}` },
    });
    expect([...stdout.matchAll(/^Usage:\n {2}(.*)$/gm)].map(([, usage]) => usage)).toEqual([
      "pulumi deployment settings edit [flags]",
      "pulumi stack schedule new [flags]",
      "pulumi stack schedule new [flags]",
    ]);
    expect(stderr).not.toContain("deprecated");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
