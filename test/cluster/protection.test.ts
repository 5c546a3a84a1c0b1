import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { CertificateAccess } from "../../gateways/index.ts";
import { KubeClient, pathFor } from "../../kubernetes/index.ts";
import { reviewToken } from "../../kubernetes/reviews.ts";
import { added, adminOf, inventory } from "../support/inventory.ts";
import { TestStack, type Value } from "../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../support/reviewing.ts";
import { workerKubeconfig } from "../support/sandbox.ts";

interface Outputs {
  readonly clusterAccess: Access & CertificateAccess;
  readonly credentials: Readonly<Record<"token" | "certificate", { readonly namespace: string; renewAfter: string }>>;
}

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let before: string[];
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
beforeEach(async () => {
  before = await inventory(admin);
});
afterEach(() => stack?.[Symbol.asyncDispose]());
afterAll(() => admin?.close());

/** A protected stack with both flows. */
async function make(more: Record<string, Value> = {}): Promise<TestStack> {
  stack = await TestStack.make("protected", {
    kubeconfig,
    allowLoopbackHost: true,
    certificateFlow: true,
    certificateKeyType: "P256",
    protect: true,
    ...more,
  });
  await stack.up();
  return stack;
}

async function outputs(): Promise<Outputs> {
  return (await stack.outputs()) as unknown as Outputs;
}

async function certificateReviews({ host, caPem, certificatePem, privateKeyPem }: CertificateAccess): Promise<boolean> {
  using client = KubeClient.direct({ server: host, caPem, certPem: certificatePem, keyPem: privateKeyPem });
  return reviewToken(client, "no token").then(
    () => true,
    () => false,
  );
}

async function expectAlive(access: Outputs["clusterAccess"]): Promise<void> {
  expect(await reviewSelf(access)).toMatchObject({ authenticated: true });
  expect(await certificateReviews(access)).toBe(true);
}

/** Types and names of the resources that the state says are protected. */
async function protectedResources(): Promise<string[]> {
  const { checkpoint } = JSON.parse(await readFile(stack.stateFile, "utf8")) as {
    checkpoint: { latest: { resources: { urn: string; protect?: boolean }[] } };
  };
  return checkpoint.latest.resources
    .flatMap(({ urn, protect }) => (protect ? [urn.split("::").slice(-2).join(" ").split(/[$:]/).at(-1) ?? ""] : []))
    .sort();
}

const refused =
  /resource "urn:pulumi:protected::k8sauth::k8sauth:index:DestroyGuard::guard-of-k8sauth-protect" cannot be deleted\s+because it is protected\. To unprotect the resource,.*`pulumi state unprotect/s;

test.each([
  ["", []],
  [" that is not previewed", ["--skip-preview"]],
])("a destroy%s is refused, says what to do, and deletes nothing; turned off, it deletes all", async (_, flags) => {
  await make();
  const made = added(before, await inventory(admin));
  const { clusterAccess } = await outputs();
  await expect(stack.destroy(undefined, ...(flags.length > 0 ? flags : ["--skip-preview=false"]))).rejects.toThrow(
    refused,
  );
  expect(stack.steps.filter((step) => step.startsWith("delete"))).toEqual([]);
  expect(added(before, await inventory(admin))).toEqual(made);
  await expectAlive(clusterAccess);
  expect((await stack.preview()).changes).toEqual({ same: expect.any(Number) });

  await stack.command("config", "set", "protect", "false");
  await stack.up();
  expect(stack.steps).toEqual([]);
  await stack.destroy();
  expect(added(before, await inventory(admin))).toEqual([]);
});

describe("a protected stack", () => {
  test("protects what renewal and rotation leave alone", async () => {
    await make();
    expect(await protectedResources()).toEqual([
      "ClientCertificate gateway-client-certificate",
      "ClusterRole gateway-client-certificate",
      "ClusterRole gateway-token-reviewer",
      "ClusterRoleBinding gateway-token-reviewer",
      "DestroyGuard guard-of-k8sauth-protect",
      "Namespace gateway-token-reviewer",
      "ServiceAccount gateway-token-reviewer",
      "TokenReviewer gateway-token-reviewer",
    ]);
  });

  test("is renewed, rotated and repaired as any other", async () => {
    const renewSoon = { tokenRenewBefore: 597, certificateRenewBefore: 597 };
    const short = { tokenMode: "tokenRequest", tokenExpirationSeconds: 600, certificateExpirationSeconds: 600 };
    await make({ ...short, ...renewSoon });
    const first = await outputs();
    const due = Object.values(first.credentials).map(({ renewAfter }) => Date.parse(renewAfter));
    await sleep(Math.max(0, Math.max(...due) - Date.now()));
    await stack.up();
    expect(stack.steps.filter((step) => step.startsWith("replace")).sort()).toEqual([
      "replace ReviewerToken",
      "replace SignedCertificate",
    ]);

    await stack.configure({
      rotation: { current: "b" },
      tokenRenewBefore: undefined,
      certificateRenewBefore: undefined,
    });
    await stack.up();
    expect(stack.steps).toEqual(
      expect.arrayContaining(["replace ReviewerToken", "delete Secret", "delete ClusterRoleBinding"]),
    );
    const { clusterAccess, credentials } = await outputs();
    await expectAlive(clusterAccess);
    expect(await certificateReviews(first.clusterAccess)).toBe(false);

    await admin.delete(pathFor("v1", "ServiceAccount", credentials.token.namespace, "gateway-token-reviewer"));
    await stack.up(undefined, "--refresh");
    await expectAlive((await outputs()).clusterAccess);
  });

  test("refuses a change that would delete or replace its reviewer", async () => {
    await make();
    const { clusterAccess } = await outputs();
    await stack.configure({ serviceAccountName: "other-reviewer" });
    await expect(stack.up()).rejects.toThrow(/unable to replace resource ".*ServiceAccount::gateway-token-reviewer"/);
    await stack.configure({ serviceAccountName: undefined, tokenFlow: false });
    await expect(stack.preview()).rejects.toThrow(/ClusterRoleBinding::gateway-token-reviewer" cannot be deleted/);
    await expectAlive(clusterAccess);
  });
});
