/** The commands of README.md, as they stand there, for a reader who has a clone and a cluster. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { AkeylessTestGateway } from "../../demo/akeyless/index.ts";
import { VaultAuth } from "../../demo/gateways/vault/index.ts";
import { sandboxStatus, startSandbox, stopSandbox } from "../../sandbox/index.ts";
import { vaultServer } from "../support/gateways/productServers.ts";
import { expectProofs } from "../support/reader/demonstration.ts";
import {
  commandBlocks,
  commandsBelow,
  localCommands,
  networkCommands,
  withExamples,
  withValues,
} from "../support/reader/pageCommands.ts";
import { Reader } from "../support/reader/reader.ts";
import { sharedSandbox, workerKubeconfig } from "../support/sandbox.ts";

/** Each runs many commands, one after the other. */
const timeout = 900_000;
const readmeCommands = (heading: string) => commandsBelow("README.md", heading);
const context = "my-cluster";
let reader: Reader;

beforeEach(async () => {
  reader = await Reader.make(workerKubeconfig(), context);
});
afterEach(() => reader?.[Symbol.asyncDispose]());

/** Runs the README's first command, and links what a first run would install. */
async function clone(): Promise<string> {
  const [block = ""] = readmeCommands("Try it");
  const [cloning = "", ...rest] = block.split("\n");
  expect(cloning).toMatch(/^git clone /);
  await reader.run(withExamples(cloning, { "<this repository>": `"${reader.repository}"` }), { beside: true });
  await reader.linkPackages();
  return rest.join("\n");
}

test("every block is run here, and what is not run is marked in the README", () => {
  const blocks = commandBlocks("README.md");
  expect([...new Set(blocks.map(({ heading }) => heading))]).toEqual(["Try it", "On your own cluster", "Gateways"]);
  const marked = blocks.flatMap(({ commands }) => networkCommands(commands));
  expect(marked.map((line) => line.replace(/ +#.*/, ""))).toEqual(["npm ci"]);
});

describe("Try it", () => {
  afterEach(() => stopSandbox("default", reader.env));

  test("shows everything, has a gateway's auth config, and deletes it all", { timeout }, async () => {
    const start = await clone();
    const [, readConfig = "", deleteAll = "", ...more] = readmeCommands("Try it");
    expect(more).toEqual([]);
    // The demonstration uses a sandbox that runs. With a node it needs root and Debian's packages.
    await startSandbox({ env: reader.env, node: false });
    expectDemonstration(await reader.run(start));
    expect(JSON.parse(await reader.run(readConfig))).toEqual({
      kubernetes_host: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
      kubernetes_ca_cert: expect.stringMatching(/^-----BEGIN CERTIFICATE-----\n/),
      token_reviewer_jwt: expect.stringMatching(/^eyJ/),
      disable_local_ca_jwt: true,
    });
    await reader.run(deleteAll);
    const stack = "npx --no k8sauth pulumi stack --stack sandbox --show-urns";
    expect(await reader.run(stack)).not.toContain("TokenReviewer");
    expect(await sandboxStatus("default", reader.env)).toMatchObject({ condition: "absent" });
  });
});

/** Checks the output of `npm start` on a machine without a node. */
function expectDemonstration(output: string): void {
  expectProofs(output);
  expect(output).toContain(
    "No node (the sandbox was started without one): the verifier and its callers run as processes",
  );
  expect(output.match(/^[1-5]\/5 {2}\w+ +(\d+ min )?[\d.]+ s {2}/gm)).toHaveLength(5);
  expect(output).toMatch(/^5\/5 {2}Proofs .* (\d+) of \1 hold$/m);
  expect(output).toMatch(/^ +authConfigs +secret +certificate \(akeyless.*\), token \(akeyless.*vault.*\)$/m);
  // Pulumi's lines for each resource are shown after a failure, or with --verbose.
  expect(output).not.toMatch(/creating \(|Resources:/);
  expect(output.split("\n").length).toBeLessThan(80);
}

describe("On your own cluster, and Gateways", () => {
  let gateway: AkeylessTestGateway;
  let vault: VaultAuth;
  afterAll(async () => {
    await vault?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
  });

  test("create and prove a reviewer, and give its auth config to Vault and to Akeyless", { timeout }, async () => {
    gateway = await AkeylessTestGateway.start();
    vault = await VaultAuth.start();
    await using server = await vaultServer(vault);
    await clone();
    const env = { ...(await reader.withPulumi()), VAULT_ADDR: server.url };
    // The only differences: the cluster and the stand-in for Akeyless have addresses of this machine.
    const here = { allowLoopbackHost: true, akeylessApi: gateway.publicApi, akeylessCa: gateway.caPem };
    const config = Object.fromEntries(Object.entries(here).map(([name, value]) => [`k8sauth:${name}`, value]));
    await writeFile(join(reader.clone, "Pulumi.prod.yaml"), stringify({ config }));

    const [setUp = "", ...more] = readmeCommands("On your own cluster");
    expect(more).toEqual([]);
    expect(setUp).toContain(`context ${context}\n`);
    const host = sharedSandbox().server;
    const examples = { "https://api.example.com:6443": host, "k8sauth doctor ": "k8sauth doctor --allow-loopback " };
    const said = await reader.run(withExamples(localCommands(setUp), examples), { env });
    expect(said).toMatch(/^ *ok +rights, token /m);
    expect(said).toContain("k8sauth:index:TokenReviewer");
    expect(said).toMatch(/ok {4}A forged token is refused/);
    expect(said).not.toMatch(/^ *FAIL/m);

    const [configureVault = "", pushToAkeyless = "", ...others] = readmeCommands("Gateways");
    expect(others).toEqual([]);
    await reader.run(configureVault, { env });
    expect((await vault.read("config")).data).toMatchObject({ kubernetes_host: host, token_reviewer_jwt_set: true });

    const pushing = withExamples(pushToAkeyless, { "https://gateway.example.com:8000": gateway.url });
    await reader.run(withValues(pushing, gateway.env), { env });
    expect([...gateway.configs.values()]).toEqual([expect.objectContaining({ k8s_host: host })]);
    expect([...gateway.account.methods.values()]).toHaveLength(1);
  });
});
