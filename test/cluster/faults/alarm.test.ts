/** `pulumi preview --expect-no-changes` without a refresh: a credential that cannot do its work is a change. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeClient, pathFor } from "../../../kubernetes/index.ts";
import { adminOf, type Lodging, lodging } from "../../support/inventory.ts";
import { changedKubeconfig } from "../../support/kubeconfigs.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const rbac = "rbac.authorization.k8s.io/v1";
const shared = workerKubeconfig();
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;
let kubeconfig: string;

beforeAll(async () => {
  admin = await adminOf(shared);
  home = await lodging(admin);
  stack = await TestStack.make("alarm", { allowLoopbackHost: true, certificateFlow: true, ...home.settings });
  kubeconfig = join(stack.folder, "kubeconfig");
  await writeFile(kubeconfig, changedKubeconfig(shared, {}));
  await stack.configure({ kubeconfig });
  await stack.up();
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
  admin?.close();
});

/** The exit status of the alarm. */
async function alarm(): Promise<number> {
  const run = stack.spawn(["preview", "--expect-no-changes"]);
  return (await run.end()) ?? -1;
}

/** The properties that the last operation changed, as `Type: property`. */
function changed(): string[] {
  return stack.events.flatMap((event) =>
    event.kind === "step" && event.state === "started" && event.operation === "update"
      ? event.diffs.map((name) => `${event.urn.split(":").at(-3)}: ${name}`)
      : [],
  );
}

interface Bindings {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly subjects?: readonly { readonly kind: string }[];
  }[];
}

/** Deletes the binding of this stack's reviewer that has a subject of this kind. */
async function unbind(kind: "ServiceAccount" | "User"): Promise<void> {
  const { items } = await admin.get<Bindings>(pathFor(rbac, "ClusterRoleBinding"), {
    query: { labelSelector: "app.kubernetes.io/managed-by=k8sauth" },
  });
  const label = kind === "User" ? "gateway-client-certificate" : "gateway-token-reviewer";
  const found = items.filter(
    ({ metadata, subjects = [] }) =>
      metadata.name.startsWith(label) && subjects.some((subject) => subject.kind === kind),
  );
  expect(found).toHaveLength(1);
  await admin.delete(pathFor(rbac, "ClusterRoleBinding", undefined, found[0]?.metadata.name));
}

describe.each([
  ["token", "ServiceAccount", "ReviewerToken", "TOKEN_MAY_NOT_REVIEW"],
  ["certificate", "User", "SignedCertificate", "CERTIFICATE_MAY_NOT_REVIEW"],
] as const)("a reviewer with a %s whose binding was deleted", (_credential, kind, type, code) => {
  test("is a change of the preview; up says what heals it, and up --refresh does", async () => {
    expect(await alarm()).toBe(0);
    await unbind(kind);
    expect(await alarm()).toBe(7);
    await stack.preview();
    expect(changed()).toEqual([`${type}: proof`]);
    expect(stack.said).toMatch(/lacks the right create tokenreviews.*pulumi up --refresh restores it/s);
    await expect(stack.up()).rejects.toThrow(new RegExp(`${code}.*pulumi up --refresh`, "s"));
    await stack.up(undefined, "--refresh");
    expect(stack.steps).toContain("create ClusterRoleBinding");
    expect(await reviewSelf((await stack.outputs()).clusterAccess as unknown as Access)).toMatchObject({
      authenticated: true,
    });
    expect(await alarm()).toBe(0);
  });
});

describe("a cluster that cannot be reached", () => {
  beforeAll(() => writeFile(kubeconfig, changedKubeconfig(shared, { cluster: { server: "https://127.0.0.1:1" } })));
  afterAll(async () => {
    await writeFile(kubeconfig, changedKubeconfig(shared, {}));
    await stack.configure({ offline: undefined });
  });

  test("fails preview, up and refresh of a stack that exists, with the setting that permits it", async () => {
    const operations = [() => stack.preview(), () => stack.up(), () => stack.refresh()];
    for (const operate of operations) {
      await expect(operate()).rejects.toThrow(
        /KUBE_REFUSED.*was not checked.*"offline" to "warn" \(k8sauth:offline\)/s,
      );
    }
    expect(await alarm()).toBe(1);
  });

  test("is a warning if offline is `warn`, which is no change itself", async () => {
    await stack.configure({ offline: "warn" });
    const { changes } = await stack.preview();
    expect(changes).toEqual({ same: expect.any(Number) });
    expect(stack.said).toMatch(/The cluster was not checked/);
  });
});
