import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parseAllDocuments } from "yaml";
import { check } from "../../../cli/check.ts";
import { KubeClient, type KubeObject, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { adminOf } from "../../support/inventory.ts";
import { startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { secretOf } from "../../support/plugin/properties.ts";
import type { Value } from "../../support/pulumi/stack.ts";
import { program, TestStack } from "../../support/pulumi/stack.ts";
import { ReadyPods } from "../../support/readyPods.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { clusterType, fresh, kubeconfigFor } from "../providerFixture.ts";

interface Rule {
  /** A rule without resources is one of paths. */
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}
interface RoleObject extends KubeObject {
  readonly kind: "Role" | "ClusterRole";
  readonly rules: readonly Rule[];
}

const rbac = "rbac.authorization.k8s.io/v1";
const namespace = "gateway-auth";
const within = { namespace, createNamespace: false };
const reader = { namespace, rules: [{ resources: ["pods"], verbs: ["get", "list"] }] };

const byTokenRequest = "token, by TokenRequest";
const rotated = "token, with a rotation";

/** By flow, the Secrets that its README says to name instead of the file's. */
const secretNames: Readonly<Record<string, string>> = {
  [byTokenRequest]: "gateway-token-reviewer-bound-token",
  [rotated]: "gateway-token-reviewer-token-b, gateway-token-reviewer-token-a",
};

/** The settings that each file's head names. */
const flows: readonly (readonly [file: string, settings: Record<string, Value>])[] = [
  ["token", within],
  ["token-generated-namespace", {}],
  [byTokenRequest, { ...within, tokenMode: "tokenRequest" }],
  [rotated, { ...within, rotation: { current: "b", previous: ["a"] } }],
  ["token-auth-delegator", { ...within, reviewerRole: "auth-delegator", bindingName: "gateway-auth-reviewer" }],
  ["certificate", { tokenFlow: false, certificateFlow: true }],
  ["gateway-account", { tokenFlow: false, akeylessGatewayAccount: "default/default" }],
  ["bearer-token-user", { tokenFlow: false, bearerTokenUsers: { reader } }],
  [
    "verifier",
    {
      tokenFlow: false,
      verifier: true,
      verifierAudiences: ["https://gateway.example"],
      verifierNamespace: namespace,
      verifierCreateNamespace: false,
      verifierMaxReplicas: 3,
    },
  ],
];

let admin: KubeClient;
let target: { server: string; caPem: string };
let user: string;
let kubeconfig: string;
let roles: RoleObject[];
let pods: ReadyPods;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const own = workerKubeconfig();
  admin = await adminOf(own);
  target = await loadConnection({ kubeconfig: own }, {});
  pods = new ReadyPods(admin, "app.kubernetes.io/name=verifier");
});
afterAll(async () => {
  await pods?.[Symbol.asyncDispose]();
  admin?.close();
});

async function put(object: KubeObject): Promise<void> {
  const { apiVersion = "", kind = "", metadata = {} } = object;
  await admin.create(pathFor(apiVersion, kind, metadata.namespace), object);
  cleanups.unshift(() =>
    admin.delete(pathFor(apiVersion, kind, metadata.namespace, metadata.name), { ignoreNotFound: true }),
  );
}

/** Applies an example, as its comments say for the flow, and binds a new account to its roles. */
async function become(flow: string): Promise<void> {
  user = fresh("deployer");
  const [file] = flow.split(",");
  const example = await readFile(join(program, "examples", "deployer-rights", `${file}.yaml`), "utf8");
  const text = example.replace(
    "gateway-token-reviewer-token]",
    `${secretNames[flow] ?? "gateway-token-reviewer-token"}]`,
  );
  const objects = parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
  const home = pathFor("v1", "Namespace", undefined, namespace);
  while (await admin.find(home)) await sleep(200);
  for (const object of objects) await put(object);
  await put({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: user, namespace: "default" } });
  roles = objects.filter(({ kind }) => kind === "Role" || kind === "ClusterRole") as RoleObject[];
  for (const role of roles) await bind(role);
  const path = `${pathFor("v1", "ServiceAccount", "default", user)}/token`;
  const { status } = await admin.create<{ status: { token: string } }>(path, { spec: { expirationSeconds: 3600 } });
  kubeconfig = kubeconfigFor(target.server, target.caPem, { token: status.token });
}

/** Binds a role to the deployer. */
async function bind({ kind, metadata }: KubeObject): Promise<void> {
  await put({
    apiVersion: rbac,
    kind: `${kind}Binding`,
    metadata: { name: `${user}-${metadata?.name}`, namespace: metadata?.namespace },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: metadata?.name },
    subjects: [{ kind: "ServiceAccount", name: user, namespace: "default" }],
  });
}

async function setRules({ kind, metadata }: RoleObject, rules: readonly Rule[]): Promise<void> {
  const path = pathFor(rbac, kind, metadata?.namespace, metadata?.name);
  await admin.replace(path, { ...(await admin.get(path)), rules });
}

interface Single {
  readonly role: RoleObject;
  readonly rule: Rule;
  /** As the preflight says it. */
  readonly words: string;
}

/** Every right of the example by itself, but those to paths: whatever a ServiceAccount loses, Kubernetes gives them these. */
function singles(): Single[] {
  return roles.flatMap((role) =>
    role.rules.flatMap(({ apiGroups = [], resources = [], resourceNames, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          (resourceNames ?? [undefined]).flatMap((name) =>
            verbs.map((verb) => ({
              role,
              rule: {
                apiGroups: [group],
                resources: [resource],
                verbs: [verb],
                ...(name && { resourceNames: [name] }),
              },
              words: `${verb} ${resource}${group && `.${group}`}${name ? ` "${name}"` : ""} in ${role.kind === "Role" ? `namespace ${namespace}` : "the whole cluster"}`,
            })),
          ),
        ),
      ),
    ),
  );
}

// The tests of a flow share a stack, in this order: an `up` for each would double the time.
describe.each(flows)("as a deployer with the rights of the example %s", (flow, settings) => {
  let stack: TestStack;

  beforeAll(async () => {
    await become(flow);
    stack = await TestStack.make("rights", { kubeconfig, allowLoopbackHost: true, ...settings });
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  test("up, another up and a refresh succeed", async () => {
    await stack.up();
    await stack.up();
    expect(stack.steps).toEqual([]);
    expect((await stack.refresh()).changes).toEqual({ same: expect.any(Number) });
  });

  test("each right that is taken away is named in the preflight", async () => {
    const inputs = { ...(await preflightOf(stack)), kubeconfig: secretOf(kubeconfig), reservedNames: [] };
    const all = singles();
    expect(all.length).toBeGreaterThan(8);
    await using engine = await startEngine();
    await using plugin = await Plugin.start(engine);
    const preflight = () => plugin.create(clusterType, inputs, { preview: true });
    await preflight();
    for (const [index, { role, words }] of all.entries()) {
      const others = all.filter((single, at) => at !== index && single.role === role).map(({ rule }) => rule);
      await setRules(role, others);
      // The API server hears of it a moment later.
      let failure = "";
      for (let tries = 0; failure === "" && tries < 50; tries++) {
        failure = await preflight().then(
          () => "",
          (error: Error) => error.message,
        );
      }
      expect(failure, words).toContain(`lacks a right in the cluster at ${target.server}:\n  ${words}\n`);
      await setRules(role, role.rules);
    }
    await vi.waitFor(preflight, { timeout: 10_000 });
  });

  test("a change and a destroy succeed", async () => {
    if (flow === "token") {
      await stack.configure({ products: ["infisical"], audience: "https://gateway.example" });
      await stack.up();
    }
    if (flow === rotated) {
      await stack.configure({ rotation: { current: "b" } });
      await stack.up();
    }
    await stack.destroy();
    const events = [...stack.history, ...stack.events];
    expect(events.filter((event) => event.kind === "step" && event.state === "failed")).toEqual([]);
  });

  test("an up that lacks a right makes nothing, and names it", async () => {
    await stack.configure({ products: undefined, audience: undefined, ...settings });
    const [missing = expect.fail("there is no right"), ...others] = singles().reverse();
    await setRules(
      missing.role,
      others.filter(({ role }) => role === missing.role).map(({ rule }) => rule),
    );
    await expect(stack.up()).rejects.toThrow(`  ${missing.words}\n`);
    expect(stack.steps.filter((step) => !/ (Stack|k8sauth|kubernetes)$/.test(step))).toEqual([]);
  });
});

/** Rights and names that the preflight checks, from the state. */
async function preflightOf({ stateFile }: TestStack): Promise<Record<string, unknown>> {
  const { checkpoint } = JSON.parse(await readFile(stateFile, "utf8"));
  const resources = checkpoint.latest.resources as { type: string; inputs: Record<string, unknown> }[];
  const { inputs = expect.fail("there is no Cluster") } = resources.find(({ type }) => type === clusterType) ?? {};
  return inputs;
}

test("with approval by somebody else the deployer may not approve", async () => {
  await become("certificate");
  const [role = expect.fail("there is no role")] = roles;
  const approving = ({ resources = [] }: Rule) =>
    resources.some((name) => name === "signers" || name.endsWith("/approval"));
  await setRules(
    role,
    role.rules.filter((rule) => !approving(rule)),
  );
  const settings = { tokenFlow: false, certificateFlow: true, certificateApproval: "external" };
  await using stack = await TestStack.make("external", { kubeconfig, allowLoopbackHost: true, ...settings });
  expect((await stack.preview()).changes.create).toBeGreaterThan(3);
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

test("a check without the rights of check.yaml creates nothing, and with them it proves the token and leaves no account", async () => {
  await become("token");
  {
    await using stack = await TestStack.make("check", { kubeconfig, allowLoopbackHost: true, ...within });
    await stack.up();
    using deployer = new KubeClient(await loadConnection({ kubeconfig }, {}));
    const outputs = await stack.outputs();
    const accounts = await accountNames();
    const { findings } = await check(outputs, deployer);
    expect(findings.filter(({ holds }) => holds !== true)).toEqual([
      {
        claim: "A valid token of a workload is accepted, and others are refused",
        holds: null,
        seen: expect.stringMatching(
          /lacks: delete serviceaccounts in namespace gateway-auth; create serviceaccounts\/token in namespace gateway-auth\./,
        ),
      },
    ]);
    expect(findings.length).toBeGreaterThan(1);
    expect(await accountNames()).toEqual(accounts);

    const text = await readFile(join(program, "examples", "deployer-rights", "check.yaml"), "utf8");
    const role = parseAllDocuments(text)[0]?.toJS() as KubeObject;
    await put(role);
    await bind(role);
    // The API server hears of it a moment later.
    await expect
      .poll(async () => (await check(outputs, deployer)).findings.filter(({ holds }) => holds !== true), {
        timeout: 30_000,
      })
      .toEqual([]);
    expect(await accountNames()).toEqual(accounts);
  }
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function accountNames(): Promise<string[]> {
  const { items } = await admin.get<{ items: KubeObject[] }>(pathFor("v1", "ServiceAccount", namespace));
  return items.map(({ metadata }) => metadata?.name ?? "").sort();
}
