import { X509Certificate } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { caCertificates, type KubeClient, type KubeObject, pathFor } from "../../../kubernetes/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { PushingStack, Workloads } from "../../support/gateways/akeylessStack.ts";
import { added, adminOf, inventory } from "../../support/inventory.ts";
import { changedKubeconfig } from "../../support/kubeconfigs.ts";
import { type Changes, type EngineEvent, readEvent } from "../../support/pulumi/engineEvents.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const rbac = "rbac.authorization.k8s.io/v1";
const shared = workerKubeconfig();
let admin: KubeClient;
let workloads: Workloads;
let pushing: PushingStack;
let kubeconfig: string;
/** Objects of other tests, from before the stack. */
let before: string[];
let whole: string[];
const secrets = new Set<string>();

beforeAll(async () => {
  admin = await adminOf(shared);
  workloads = await Workloads.make(admin);
  pushing = await PushingStack.make("drift", "", {
    certificateFlow: true,
    akeylessAuthMethod: { boundNamespaces: [workloads.namespace] },
  });
  kubeconfig = join(pushing.stack.folder, "kubeconfig");
  await writeFile(kubeconfig, changedKubeconfig(shared, {}));
  await pushing.stack.configure({ kubeconfig });
  await workloads.token("shop");
  before = await inventory(admin);
  await pushing.stack.up();
  whole = added(before, await inventory(admin));
  nothingElse = async () => expect(added(before, await inventory(admin))).toEqual(whole);
  await rememberSecrets();
});

afterAll(async () => {
  await pushing?.[Symbol.asyncDispose]();
  await workloads?.[Symbol.asyncDispose]();
  admin?.close();
});

/** Expects the objects of the stack to be in the cluster, and no other new ones. */
let nothingElse: () => Promise<void>;

interface Outputs {
  readonly clusterAccess: Access & { readonly privateKeyPem: string };
  readonly authConfigs: Record<string, { akeyless: Record<string, string> }>;
  readonly credentials: { readonly token: { readonly namespace: string } };
}

const outputs = async () => (await pushing.stack.outputs()) as unknown as Outputs;

/** Gathers what must not be shown anywhere. */
async function rememberSecrets(): Promise<void> {
  const { clusterAccess, authConfigs } = await outputs();
  secrets.add(clusterAccess.token);
  secrets.add(clusterAccess.privateKeyPem.split("\n")[1] ?? "");
  secrets.add(authConfigs.token?.akeyless["signing-key"] ?? "");
}

/** Runs the CLI as an operator or a scheduled job does. */
async function run(command: "preview" | "up") {
  const { stack } = pushing;
  const file = join(stack.folder, "drift.log");
  const own = command === "up" ? ["--yes", "--skip-preview"] : [];
  const process = stack.spawn([command, "--refresh", "--expect-no-changes", ...own, "--event-log", file]);
  const status = await process.end();
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(40);
    expect(process.output).not.toContain(secret);
  }
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  await rm(file);
  const events = lines.flatMap((line) => readEvent(line) ?? []);
  return { status, said: process.output, drift: driftIn(events), changes: changesIn(events) };
}

/** Findings of the refresh before an operation. */
function driftIn(events: readonly EngineEvent[]): string[] {
  return events
    .flatMap((event) => {
      if (event.kind !== "step" || event.operation !== "refresh") return [];
      const type = event.urn.split("::").at(-2)?.split(":").at(-1);
      if (event.gone) return [`${type} is gone`];
      return event.drifted.length > 0 ? [`${type} differs: ${event.drifted.join(", ")}`] : [];
    })
    .sort();
}

function changesIn(events: readonly EngineEvent[]): Changes {
  return events.reduce<Changes>((sum, event) => (event.kind === "summary" ? event.changes : sum), {});
}

/** The API path of the token flow's object of a kind. */
async function pathOf(apiVersion: string, kind: string): Promise<string> {
  const own = (await inventory(admin)).filter((object) => !before.includes(object));
  const found = own.find((object) => object.startsWith(`${kind} gateway-token-reviewer`)) ?? expect.fail(kind);
  const [first = "", second] = found.slice(kind.length + 1).split("/");
  return second === undefined ? pathFor(apiVersion, kind, undefined, first) : pathFor(apiVersion, kind, first, second);
}

/** Waits until the API server has forgotten that the token was good once, for 10 s. */
async function untilDead(): Promise<void> {
  const { clusterAccess } = await outputs();
  while ((await reviewSelf(clusterAccess)).authenticated) await sleep(100);
}

async function editBinding(edit: (binding: KubeObject) => object): Promise<void> {
  const path = await pathOf(rbac, "ClusterRoleBinding");
  await admin.replace(path, edit(await admin.get(path)), { fieldManager: "kubectl-edit" });
}

/** Changes the stack's state: for what takes longer to happen than a test can wait. */
async function editState(edit: (resources: readonly ResourceState[]) => void): Promise<void> {
  const { stack } = pushing;
  const state = JSON.parse(await stack.command("stack", "export")) as { deployment: { resources: ResourceState[] } };
  edit(state.deployment.resources);
  const file = join(stack.folder, "edited.json");
  await writeFile(file, JSON.stringify(state));
  await stack.command("stack", "import", "--file", file);
}

interface ResourceState {
  readonly type: string;
  readonly outputs?: object;
}

interface Case {
  readonly what: string;
  readonly happens: () => Promise<unknown>;
  /** The expected report, by resource. */
  readonly drift: readonly string[];
  /** The expected message. */
  readonly said?: RegExp;
  /** Exit status of the preview. @default 7 */
  readonly status?: number;
  readonly healed?: () => Promise<unknown>;
}

const otherCa = makeCertificate({ commonName: "another-ca" }).certPem;
const configAt = (name: string) => pushing.gateway.configs.get(name) ?? expect.fail(`there is no config ${name}`);

const cases: readonly Case[] = [
  {
    what: "a dead token",
    happens: async () => {
      await admin.delete(await pathOf("v1", "Secret"));
      await untilDead();
    },
    drift: ["ReviewerToken is gone", "Secret is gone"],
    said: /token of .* is dead/,
  },
  {
    what: "a changed token",
    happens: async () => {
      const other = Buffer.from("eyJhbGciOiJub25lIn0.e30.").toString("base64");
      const path = await pathOf("v1", "Secret");
      await admin.apply(
        path,
        { apiVersion: "v1", kind: "Secret", data: { token: other } },
        { fieldManager: "somebody", force: true },
      );
      await untilDead();
    },
    drift: ["ReviewerToken is gone"],
    said: /token of .* is dead/,
  },
  {
    what: "a changed CA",
    happens: async () => {
      const { clusterAccess } = await outputs();
      const both = Buffer.from(clusterAccess.caPem + otherCa).toString("base64");
      await writeFile(kubeconfig, changedKubeconfig(shared, { cluster: { "certificate-authority-data": both } }));
    },
    // A refresh compares what the program sets, and the CA is an output: what uses it differs in the preview.
    drift: [],
    said: /ReviewerToken gateway-token-reviewer update \[diff: ~caPem\]/,
    healed: async () => {
      const ca = Buffer.from(configAt("k8s-conf").k8s_ca_cert ?? "", "base64").toString();
      expect(ca).toContain(caCertificates(otherCa, "the test").trim());
    },
  },
  {
    what: "an expired certificate",
    happens: () =>
      editState((resources) => {
        const { outputs: found } = resources.find(({ type }) => type.endsWith(":SignedCertificate")) as ResourceState;
        Object.assign(found ?? {}, { issuedAt: "2026-01-01T00:00:00Z", notAfter: "2026-02-01T00:00:00Z" });
      }),
    drift: ["SignedCertificate is gone"],
    said: /certificate of "gateway-token-reviewer-drift" expired on 2026-02-01/,
    healed: async () => {
      const pem = Buffer.from(configAt("k8s-conf-certificate").k8s_client_cert_data ?? "", "base64");
      expect(new X509Certificate(pem).validToDate.getTime()).toBeGreaterThan(Date.now());
    },
  },
  {
    what: "a binding of somebody else",
    happens: () =>
      editBinding((binding) => ({
        ...binding,
        subjects: [{ kind: "Group", name: "system:authenticated", apiGroup: "rbac.authorization.k8s.io" }],
      })),
    drift: ["ClusterRoleBinding differs: subjects"],
    healed: async () => {
      const { subjects } = await admin.get(await pathOf(rbac, "ClusterRoleBinding"));
      expect(subjects).toEqual([expect.objectContaining({ kind: "ServiceAccount", name: "gateway-token-reviewer" })]);
    },
  },
  {
    what: "a deleted binding",
    happens: async () => admin.delete(await pathOf(rbac, "ClusterRoleBinding")),
    drift: ["ClusterRoleBinding is gone", "ReviewerToken differs: proof"],
    said: /lacks the right create tokenreviews/,
  },
  {
    what: "a role with more rights",
    happens: async () => {
      const path = await pathOf(rbac, "ClusterRole");
      const rules = [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }];
      await admin.replace(path, { ...(await admin.get(path)), rules }, { fieldManager: "kubectl-edit" });
    },
    drift: ["ClusterRole differs: rules", "ReviewerToken differs: proof"],
    // The Kubernetes plugin's preview does not take the field over, as its update does.
    status: 1,
    said: /conflict with "kubectl-edit" .*: \.rules/,
  },
  {
    what: "a gateway's config that was changed by hand",
    happens: async () =>
      pushing.gateway.configs.set("k8s-conf", { ...configAt("k8s-conf"), k8s_host: "https://elsewhere.example.com" }),
    drift: ["AkeylessGatewayAuthConfig differs: config"],
    said: /auth config "k8s-conf" .* was changed outside this stack: k8s-host/,
  },
  {
    what: "a gateway's config that was deleted",
    happens: async () => pushing.gateway.configs.delete("k8s-conf-certificate"),
    drift: ["AkeylessGatewayAuthConfig is gone"],
  },
];

test("nothing has drifted after an up: status 0, and the report is empty", async () => {
  expect(await run("preview")).toMatchObject({ status: 0, drift: [], changes: { same: expect.any(Number) } });
});

describe.each(cases)("$what", ({ happens, drift, said, healed, status = 7 }) => {
  test("is reported by preview --refresh, which fails and changes nothing; up --refresh heals it", async () => {
    onTestFailed(async () => {
      await pushing.stack.refresh();
      await pushing.stack.up();
    });
    await happens();
    const [state, objects] = [await readFile(pushing.stack.stateFile, "utf8"), await inventory(admin)];
    const preview = await run("preview");
    expect(preview, preview.said).toMatchObject({ status, drift });
    if (said) expect(preview.said).toMatch(said);
    if (status === 7) expect(Object.keys(preview.changes)).not.toEqual(["same"]);
    expect(await readFile(pushing.stack.stateFile, "utf8")).toBe(state);
    expect(await inventory(admin)).toEqual(objects);

    const up = await run("up");
    expect(up, up.said).toMatchObject({ status: 7, drift });
    await rememberSecrets();
    await healed?.();
    await nothingElse();
    expect(await reviewSelf((await outputs()).clusterAccess)).toMatchObject({ authenticated: true });
    const { claims } = await pushing.logIn(await workloads.token("shop"));
    expect(claims).toMatchObject({ service_account_name: "shop" });
  });
});

test("after all of them nothing has drifted", async () => {
  expect(await run("preview")).toMatchObject({ status: 0, drift: [] });
});

test("a cluster that can't be read is a failure of the preview, and no drift", async () => {
  await writeFile(kubeconfig, changedKubeconfig(shared, { cluster: { server: "https://127.0.0.1:1" } }));
  const { status, said } = await run("preview");
  expect(status).toBe(1);
  expect(said).toMatch(/127\.0\.0\.1:1/);
  await writeFile(kubeconfig, changedKubeconfig(shared, {}));
});
