import { get } from "node:https";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { isKubeError, type KubeClient, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { adminOf, type Lodging, lodging } from "../../support/inventory.ts";
import { startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { revealed, secretOf } from "../../support/plugin/properties.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { adminToken, fresh, makeReviewer, reviewerType } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
const label = "kubernetes.io/legacy-token-invalid-since";
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
  stack = await TestStack.make("healing", { kubeconfig, allowLoopbackHost: true, ...home.settings });
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
  admin?.close();
});

interface Secret {
  readonly metadata: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> };
  readonly data?: { readonly token?: string };
}

const secretPath = () => pathFor("v1", "Secret", home.settings.namespace, "gateway-token-reviewer-token");
const mergePatch = (path: string, body: object, dryRun = false) =>
  admin.request("PATCH", path, {
    body,
    contentType: "application/merge-patch+json",
    query: dryRun ? { dryRun: "All" } : {},
  });
const access = async () => (await stack.outputs()).clusterAccess as unknown as Access;
const awaiting = { timeout: 60_000, interval: 100 };

/** Denies that a token is written into a Secret, which is what the token controller does. */
async function denyTokens(): Promise<{ readonly denials: () => Promise<number>; readonly end: () => Promise<void> }> {
  const { namespace } = home.settings;
  const group = "admissionregistration.k8s.io/v1";
  const name = fresh("deny-tokens");
  const paths = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"].map((p) => `/apis/${group}/${p}`);
  const [policies = "", bindings = ""] = paths;
  await admin.create(policies, {
    apiVersion: group,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["UPDATE"], resources: ["secrets"] }],
      },
      validations: [{ expression: "!has(object.data) || !('token' in object.data)", message: "no tokens" }],
    },
  });
  const matchLabels = { "kubernetes.io/metadata.name": namespace };
  await admin.create(bindings, {
    apiVersion: group,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name },
    spec: {
      policyName: name,
      validationActions: ["Deny"],
      matchResources: { namespaceSelector: { matchLabels } },
    },
  });
  const probe = { apiVersion: "v1", kind: "Secret", metadata: { name: "probe" } };
  await admin.create(pathFor("v1", "Secret", namespace), probe);
  const path = pathFor("v1", "Secret", namespace, "probe");
  const isDenied = () =>
    mergePatch(path, { data: { token: "eA==" } }, true).then(
      () => false,
      (error: unknown) => isKubeError(error, "KUBE_DENIED", "KUBE_INVALID"),
    );
  await vi.waitUntil(isDenied, awaiting);
  const token = await adminToken(admin);
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  const counted = new RegExp(
    `^apiserver_validating_admission_policy_check_total\\{enforcement_action="deny",.*policy="${name}".*\\} (\\d+)$`,
    "gm",
  );
  const denials = async () => {
    const headers = { authorization: `Bearer ${token}` };
    const page = await new Promise<string>((resolve, reject) => {
      get(`${server}/metrics`, { ca: caPem, headers, agent: false }, (answer) => resolve(text(answer))).on(
        "error",
        reject,
      );
    });
    return [...page.matchAll(counted)].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  return {
    denials,
    async end() {
      await admin.delete(`${bindings}/${name}`);
      await admin.delete(`${policies}/${name}`);
      await vi.waitUntil(async () => !(await isDenied()), awaiting);
    },
  };
}

test("a Secret that the token controller has given up on gets its token while up waits", async () => {
  const policy = await denyTokens();
  const before = await policy.denials();
  const up = stack.up();
  const outcome = up.then(() => "it ended", String);
  // One attempt and ten more, after which the controller waits for a change of the Secret.
  const tried = vi.waitUntil(async () => (await policy.denials()) >= before + 11, awaiting);
  expect(await Promise.race([outcome, tried])).toBe(true);
  await policy.end();
  await up;
  expect(stack.said).toMatch(
    /Secret .*\/gateway-token-reviewer-token has no token yet\. .*token controller tries again/,
  );
  const secret = await admin.get<Secret>(secretPath());
  expect(secret.data?.token).toBeTruthy();
  expect(secret.metadata.annotations).toHaveProperty(["k8sauth.dev/token-asked-at"]);
  expect(await reviewSelf(await access())).toMatchObject({ authenticated: true });
  await stack.preview({ refresh: true }, "--expect-no-changes");
});

test("a token that the cluster has marked as unused is named in previews with the label, and up makes it valid again", async () => {
  const { token } = await access();
  await mergePatch(secretPath(), { metadata: { labels: { [label]: "2026-01-31" } } });
  // Reviews before are remembered for 10 s.
  await vi.waitUntil(async () => !(await reviewSelf(await access())).authenticated, awaiting);
  const named = new RegExp(`is refused: its Secret .*/gateway-token-reviewer-token has the label ${label}: 2026-01-31`);
  expect((await stack.preview()).changes).toMatchObject({ update: 1 });
  expect(stack.said).toMatch(named);
  expect((await stack.preview({ refresh: true })).changes).toMatchObject({ update: 1 });
  await stack.up();
  expect(stack.steps).toEqual(["update ReviewerToken"]);
  expect(stack.said).toMatch(named);
  expect(stack.said).toContain(`label ${label}: 2026-01-31. The label is removed, and the token is valid again.`);
  expect((await admin.get<Secret>(secretPath())).metadata.labels).not.toHaveProperty([label]);
  expect((await access()).token).toBe(token);
  expect(await reviewSelf(await access())).toMatchObject({ authenticated: true });
  await stack.preview({ refresh: true }, "--expect-no-changes");
});

test("the creation of a token takes the mark off its Secret, and says so", async () => {
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  const reviewer = await makeReviewer(admin, { server, caPem });
  const path = pathFor("v1", "Secret", reviewer.namespace, reviewer.inputs.secretName);
  await vi.waitUntil(async () => (await admin.get<Secret>(path)).data?.token, awaiting);
  await mergePatch(path, { metadata: { labels: { [label]: "2026-01-31" } } });
  await using engine = await startEngine();
  await using plugin = await Plugin.start(engine);
  const { outputs } = await plugin.create(reviewerType, { kubeconfig: secretOf(kubeconfig), ...reviewer.inputs });
  expect(revealed(outputs)).toMatchObject({ kind: "Secret", uid: reviewer.inputs.serviceAccountUid });
  expect((await admin.get<Secret>(path)).metadata.labels).not.toHaveProperty([label]);
  expect(engine.lines.map(({ message }) => message).join()).toContain(
    `label ${label}: 2026-01-31. The label is removed`,
  );
});
