import { generateKeyPairSync } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { parse } from "yaml";
import type { KubeClient } from "../../kube/index.ts";
import { EngineProcess } from "../support/engineProcess.ts";
import { adminOf, type Lodging, lodging } from "../support/inventory.ts";
import type { Access } from "../support/reviewing.ts";
import { TestStack } from "../support/stack.ts";

const kubeconfig = inject("kubeconfig");
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;
/** Everything that was seen of the runs, by where. */
const seen = new Map<string, string>();

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const signingKey = Buffer.from(privateKey.export({ type: "pkcs1", format: "pem" }) as string).toString("base64");

/** Runs `k8sauth` and keeps what it prints, and what the process list shows of it and its children meanwhile. */
async function run(operation: string, ...more: string[]): Promise<number | null> {
  const process = EngineProcess.run(stack, operation, more);
  const commandLines = new Set<string>();
  const watch = setInterval(() => {
    for (const { commandLine } of process.processes()) commandLines.add(commandLine);
  }, 20);
  const status = await process.end();
  clearInterval(watch);
  const name = [operation, ...more].join(" ");
  seen.set(`output of ${name} (${seen.size})`, process.output);
  seen.set(`process list during ${name} (${seen.size})`, [...commandLines].join("\n"));
  return status;
}

async function keepFiles(when: string): Promise<void> {
  for (const entry of await readdir(stack.folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    seen.set(`${file} ${when}`, await readFile(file, "utf8"));
  }
}

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
  stack = await TestStack.make("hush", {
    allowLoopbackHost: true,
    akeylessAccessId: "p-0123456789ab",
    ...home.settings,
  });
  await stack.configureSecret("kubeconfig", await readFile(kubeconfig, "utf8"));
  await stack.configureSecret("akeylessSigningKey", signingKey);
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
  admin?.close();
});

/** What must never be seen: whole values, and the parts by which they would still be known. */
async function secrets(): Promise<Map<string, string>> {
  const { token } = (await stack.outputs()).clusterAccess as unknown as Access;
  const { users } = parse(await readFile(kubeconfig, "utf8"));
  const keyData: string = users[0].user["client-key-data"];
  const lines = (pem: string) => pem.split("\n").filter((line) => line.length > 40 && !line.startsWith("-----"));
  const keyLines = [keyData, signingKey].flatMap((data) => lines(Buffer.from(data, "base64").toString()));
  return new Map([
    ["the token", token],
    ["the token's claims", token.split(".")[1] ?? ""],
    ["the token in base64", Buffer.from(token).toString("base64").slice(0, 200)],
    ["the kubeconfig's key", keyData.slice(0, 200)],
    ["the signing key", signingKey.slice(0, 200)],
    ...keyLines.map((line, index): [string, string] => [`line ${index} of a key`, line]),
  ]);
}

test("no secret is seen in state, output, process list or errors, whatever is run", async () => {
  expect(await run("preview")).toBe(0);
  expect(await run("up")).toBe(0);
  await keepFiles("after up");
  expect(await run("up", "--json")).toBe(0);
  expect(await run("refresh")).toBe(0);
  await keepFiles("after refresh");
  expect(await run("output", "--json")).toBe(0);
  expect(await run("output")).toBe(0);
  await stack.configure({ serviceAccountName: "other-reviewer", kubernetesHost: "https://127.0.0.1:1" });
  expect(await run("up")).toBe(1);
  await keepFiles("after a failure");
  await stack.configure({ kubernetesHost: undefined, reviewerRole: "nonsense" });
  expect(await run("up")).toBe(1);
  await stack.configure({ reviewerRole: undefined, audience: "somebody" });
  expect(await run("up")).toBe(0);
  await stack.preview();
  seen.set("events", JSON.stringify([...stack.history, ...stack.events]));
  await keepFiles("in the end");

  const hidden = await secrets();
  expect(hidden.size).toBeGreaterThan(20);
  const found: string[] = [];
  for (const [where, text] of seen) {
    for (const [what, secret] of hidden) if (secret && text.includes(secret)) found.push(`${what} in ${where}`);
  }
  expect(found).toEqual([]);
  // The search would have found them: they are where they belong.
  expect(JSON.stringify(await stack.outputs())).toContain(hidden.get("the token"));
  expect([...seen.values()].some((text) => text.includes("cmd/run"))).toBe(true);
});
