import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { readSettings } from "../../stack/settings/index.ts";
import { schema } from "../../stack/settings/schema.ts";
import type { Schema } from "../../stack/settings/setting.ts";
import { built, Machine, run } from "./machine.ts";

test("the command that a message names for a list or an object sets it", async () => {
  await using machine = await Machine.make();
  const env = {
    ...machine.env,
    ...built.env,
    PULUMI_BACKEND_URL: `file://${machine.home}`,
    PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
  };
  const folder = await machine.project("", { name: "k8sauth" });
  expect(await run(built, folder, ["stack", "init", "dev"], env)).toMatchObject({ status: 0 });
  const settings = Object.values(schema as Schema).flatMap(({ example }) => (example ? [example] : []));
  expect(settings.length).toBeGreaterThan(10);
  // As a user types them: a shell takes the quotes away.
  const commands = [
    "context prod",
    "verifier true",
    "bearerTokenUsers.reader.clusterRole view",
    "akeylessPush true",
    "akeylessGatewayUrl https://gateway.example.com:8000",
    "'akeylessRoleRules[\"/shop/reader\"][0].capabilities[0]' read",
    ...settings,
  ].map((words) => `"$PULUMI" config set --non-interactive --path ${words}`);
  const script = ["set -eu", ...commands].join("\n");
  await promisify(execFile)("sh", ["-c", script], { cwd: folder, env: { ...env, PULUMI: built.command } });

  const { stdout } = await run(built, folder, ["config", "--json"], env);
  const config = JSON.parse(stdout) as Record<string, { readonly value: string }>;
  const values = Object.entries(config).map(([key, { value }]) => [key, value] as const);
  for (const [key, { example }] of Object.entries(schema as Schema)) {
    if (example) expect(values.map(([name]) => name)).toContain(`k8sauth:${key}`);
  }
  pulumi.runtime.setAllConfig(Object.fromEntries(values));
  expect(readSettings()).toMatchObject({
    products: ["consul"],
    token: { rotation: { current: "2026-q4" } },
    bearerTokenUsers: { reader: { namespace: "shop" } },
    verifier: { audiences: ["orders"], settings: { reviewOutage: "local" } },
    akeyless: {
      push: {
        roles: {
          "/shop/reader": { claims: { namespace: "shop" }, rules: [{ path: "/shop/*", capabilities: ["read"] }] },
        },
        expiryNoticeDays: [30],
      },
    },
  });
});
