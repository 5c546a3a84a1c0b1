import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from "vitest";
import { openStack } from "../../engine/index.ts";
import { decryptSecrets, encryptSecrets, type ResourceState } from "../../engine/state.ts";
import { certificates, type KubeClient, type KubeObject, pathFor } from "../../kube/index.ts";
import { makeCertificate } from "../../sandbox/certificate.ts";
import { PushingStack, Workloads } from "../support/akeylessStack.ts";
import { EngineProcess } from "../support/engineProcess.ts";
import { added, adminOf, inventory } from "../support/inventory.ts";
import { changedKubeconfig } from "../support/kubeconfigs.ts";
import { type Access, reviewSelf } from "../support/reviewing.ts";

const rbac = "rbac.authorization.k8s.io/v1";
const shared = inject("kubeconfig");
let admin: KubeClient;
let workloads: Workloads;
let pushing: PushingStack;
let kubeconfig: string;
/** What was there before the stack, of other tests. */
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

interface Report {
  readonly changes: Record<string, number>;
  readonly drift: readonly { readonly urn: string; readonly gone: boolean; readonly diffs: readonly string[] }[];
}

/** Runs `k8sauth` as an operator or a scheduled job does. */
async function run(command: "preview" | "up") {
  const more = ["--refresh", "--expect-no-changes", "--json"];
  const engine = EngineProcess.run(pushing.stack, command, more);
  const status = await engine.end();
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(40);
    expect(engine.output).not.toContain(secret);
  }
  const json = /^\{\n.*^\}$/ms.exec(engine.output)?.[0] ?? expect.fail(engine.output);
  const { drift, changes } = JSON.parse(json) as Report;
  const found = drift.map(({ urn, gone, diffs }) => {
    const type = urn.split("::").at(-2)?.split(":").at(-1);
    return `${type} ${gone ? "is gone" : `differs: ${diffs.join(", ")}`}`;
  });
  return { status, said: engine.output, drift: found.sort(), changes };
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
  const { checkpoint, crypters, backend, name } = await openStack(pushing.stack.options());
  const { state, settings } = await crypters();
  const deployment = decryptSecrets(checkpoint?.deployment ?? {}, state);
  edit(deployment.resources ?? []);
  await backend.save(name, { version: 3, ...checkpoint, deployment: encryptSecrets(deployment, settings) });
}

interface Case {
  readonly what: string;
  readonly happens: () => Promise<unknown>;
  /** What the report says of it, by resource. */
  readonly drift: readonly string[];
  /** What is said in words. */
  readonly said?: RegExp;
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
    drift: ["Cluster differs: caPem"],
    healed: async () => {
      const ca = Buffer.from(configAt("k8s-conf").k8s_ca_cert ?? "", "base64").toString();
      expect(ca).toContain(certificates(otherCa, "the test").trim());
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
    drift: ["ClusterRoleBinding is gone"],
  },
  {
    what: "a role with more rights",
    happens: async () => {
      const path = await pathOf(rbac, "ClusterRole");
      const rules = [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }];
      await admin.replace(path, { ...(await admin.get(path)), rules }, { fieldManager: "kubectl-edit" });
    },
    drift: ["ClusterRole differs: rules"],
  },
  {
    what: "a gateway's config that was changed by hand",
    happens: async () =>
      pushing.gateway.configs.set("k8s-conf", { ...configAt("k8s-conf"), k8s_host: "https://elsewhere.example.com" }),
    drift: ["AkeylessGatewayAuthConfig differs: k8s-host"],
    said: /auth config "k8s-conf" .* was changed by somebody else: k8s-host/,
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

describe.each(cases)("$what", ({ happens, drift, said, healed }) => {
  test("is reported by preview --refresh, which ends with status 7 and changes nothing; up --refresh heals it", async () => {
    onTestFailed(async () => {
      await pushing.stack.refresh();
      await pushing.stack.up();
    });
    await happens();
    const [state, objects] = [await readFile(pushing.stack.stateFile, "utf8"), await inventory(admin)];
    const preview = await run("preview");
    expect(preview).toMatchObject({ status: 7, drift });
    for (const found of drift) {
      const [type = "", ...rest] = found.split(" ");
      expect(preview.said).toMatch(new RegExp(`${type} \\S+ ${rest.join(" ")}`));
    }
    if (said) expect(preview.said).toMatch(said);
    expect(Object.keys(preview.changes)).not.toEqual(["same"]);
    expect(await readFile(pushing.stack.stateFile, "utf8")).toBe(state);
    expect(await inventory(admin)).toEqual(objects);

    const up = await run("up");
    expect(up).toMatchObject({ status: 7, drift });
    await rememberSecrets();
    await healed?.();
    await nothingElse();
    expect(await reviewSelf((await outputs()).clusterAccess)).toMatchObject({ authenticated: true });
    const { claims } = await pushing.logIn(await workloads.token("shop"));
    expect(claims).toMatchObject({ service_account_name: "shop" });
    expect(await run("preview")).toMatchObject({ status: 0, drift: [] });
  }, 120_000);
});

test("a cluster that can't be read is a failure of the preview, and no drift", async () => {
  await writeFile(kubeconfig, changedKubeconfig(shared, { cluster: { server: "https://127.0.0.1:1" } }));
  const engine = EngineProcess.run(pushing.stack, "preview", ["--refresh", "--expect-no-changes"]);
  expect(await engine.end()).toBe(1);
  expect(engine.output).toMatch(/127\.0\.0\.1:1/);
  await writeFile(kubeconfig, changedKubeconfig(shared, {}));
});
