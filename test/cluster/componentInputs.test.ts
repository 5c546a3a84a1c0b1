/** State, previews and policies see the arguments of components, and secrets among them stay secret. */
import { generateKeyPairSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubeClient } from "../../kubernetes/index.ts";
import { certificateRequest } from "../support/crypto/certificateRequest.ts";
import { adminOf, type Lodging, lodging } from "../support/inventory.ts";
import { program, TestStack } from "../support/pulumi/stack.ts";
import { workerKubeconfig } from "../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
const commonName = `brought-${process.pid}`;
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
  stack = await TestStack.make("inputs", {
    kubeconfig,
    allowLoopbackHost: true,
    ...home.settings,
    tokenMode: "tokenRequest",
    certificateFlow: true,
    certificateCommonName: commonName,
    certificateRequest: certificateRequest(privateKey, { commonName }),
    bearerTokenUsers: { reader: { namespace: home.settings.namespace, clusterRole: "view" } },
  });
  await stack.configureSecret("certificateKey", keyPem);
  stack.policyPacks = [{ path: join(program, "test", "support", "pulumi", "inputsPack") }];
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
  admin?.close();
});

/** Inputs of a component that policies saw in the last operation. */
function seen(type: string): Record<string, unknown> {
  const found = stack.violations.find(({ urn }) => urn.split("::").at(-2) === `k8sauth:index:${type}`);
  const [json = expect.fail(`no policy saw ${type}`)] = /\{.*\}/s.exec(found?.message ?? "") ?? [];
  return JSON.parse(json) as Record<string, unknown>;
}

test("a policy pack reads them in a preview of a new stack", async () => {
  await stack.preview();
  expect(seen("TokenReviewer")).toMatchObject({ ...home.settings, tokenMode: "tokenRequest", role: "tokenreviews" });
  expect(seen("ClientCertificate")).toMatchObject({ commonName, keyType: "RSA2048", approval: "auto" });
  expect(seen("BearerTokenUser")).toMatchObject({ clusterRole: "view", namespace: home.settings.namespace });
  for (const type of ["TokenReviewer", "ClientCertificate", "BearerTokenUser"])
    expect(seen(type)).not.toHaveProperty("cluster");
});

test("the state has inputs and every public output; keys and tokens are encrypted there and not shown by a preview", async () => {
  stack.policyPacks = [];
  await stack.up();
  const state = await readFile(stack.stateFile, "utf8");
  const { checkpoint } = JSON.parse(state) as {
    checkpoint: { latest: { resources: { type: string; inputs?: object; outputs?: object }[] } };
  };
  const of = (type: string) =>
    checkpoint.latest.resources.find((resource) => resource.type === `k8sauth:index:${type}`);
  const encrypted = { ciphertext: expect.any(String) };
  expect(of("TokenReviewer")).toMatchObject({
    inputs: { ...home.settings, tokenMode: "tokenRequest" },
    outputs: {
      namespace: home.settings.namespace,
      serviceAccount: { urn: expect.any(String) },
      secrets: { epoch: "" },
    },
  });
  expect(of("ClientCertificate")).toMatchObject({
    inputs: { commonName, privateKeyPem: encrypted },
    outputs: { commonName, epoch: "", previous: [], privateKeyPem: encrypted },
  });
  expect(of("BearerTokenUser")).toMatchObject({ inputs: { clusterRole: "view" }, outputs: { kubeconfig: encrypted } });

  const [, line = ""] = keyPem.split("\n");
  expect(state).not.toContain(line);
  await stack.configure({ tokenExpirationSeconds: 7200 });
  const shown = await stack.command("preview", "--diff");
  expect(shown).toMatch(/tokenExpirationSeconds: 2592000 => 7200/);
  expect(shown).not.toContain(line);
  expect(shown).not.toMatch(/eyJ[\w-]+\./);
});
