import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { useCluster } from "./fixture.ts";

const cluster = useCluster();

/** Files of a folder, at any depth, in which one of the texts stands. */
async function filesWith(texts: readonly string[], folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  expect(files.length).toBeGreaterThan(0);
  const found = await Promise.all(
    files.map(async (file) => {
      const content = await readFile(file, "utf8");
      return texts.some((text) => content.includes(text)) ? [file] : [];
    }),
  );
  return found.flat();
}

/** The ways in which a secret could be written down: as it is, and as the data of a Secret. */
function forms(secret: string): string[] {
  return [secret, Buffer.from(secret).toString("base64"), Buffer.from(secret).toString("base64").slice(4, -4)];
}

describe("secrets of a stack that both engines write", () => {
  test("neither the reviewer's token nor the kubeconfig's key stands in plaintext in any file of the state", async () => {
    const kubeconfig = await readFile(inject("kubeconfig"), "utf8");
    const keyData = /client-key-data: (\S+)/.exec(kubeconfig)?.[1] as string;
    const keyLine = Buffer.from(keyData, "base64").toString("utf8").split("\n")[1] as string;
    await using both = await cluster.make("plaintext");
    await both.cli.init();
    // The whole kubeconfig as a secret setting, as somebody without a file would give it.
    await both.cli.setSecret("kubeconfig", kubeconfig);
    await both.cli.up();
    const { clusterAccess } = (await both.cli.outputs()) as { clusterAccess: { token: string } };
    const secrets = [...forms(clusterAccess.token), keyData, keyLine];
    expect(await filesWith(secrets, both.stack.folder)).toEqual([]);
    await both.stack.up();
    await both.stack.refresh();
    expect(await filesWith(secrets, both.stack.folder)).toEqual([]);
    await both.cli.refresh();
    await both.cli.destroy();
    expect(await filesWith(secrets, both.stack.folder)).toEqual([]);
  });

  test("what the CLI prints of preview, update and outputs shows neither", async () => {
    await using both = await cluster.make("printed");
    await both.stack.up();
    const { clusterAccess } = (await both.stack.outputs()) as { clusterAccess: { token: string } };
    const stack = ["--stack", both.stack.name];
    const options = [...stack, "--config-file", both.stack.configFile, "--diff", "--show-sames"];
    await both.stack.configure({ audience: "gateway" });
    const printed = [
      await both.cli.run(["preview", ...options]),
      await both.cli.run(["up", ...options, "--yes", "--skip-preview"]),
      await both.cli.run(["stack", "output", ...stack, "--json"]),
      await both.cli.run(["stack", "export", ...stack]),
    ];
    for (const { stdout, stderr } of printed) {
      for (const form of forms(clusterAccess.token)) expect(`${stdout}${stderr}`).not.toContain(form);
    }
  });
});
