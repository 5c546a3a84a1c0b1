import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { defaultTokenLifetime } from "../../../kubernetes/lifetimes.ts";
import { oldestVersion } from "../../../sandbox/pulumi/index.ts";
import { schema } from "../../../stack/settings/schema.ts";
import { program } from "../../support/project.ts";

const examples = join(program, "examples");

interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: unknown;
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace: string }[];
}

interface Reference {
  readonly type: string;
  readonly secret?: { readonly name: string; readonly key: string };
  readonly literal?: { readonly value: string };
}

interface Stack extends KubernetesObject {
  readonly spec: {
    readonly serviceAccountName: string;
    readonly continueResyncOnCommitMatch: boolean;
    readonly resyncFrequencySeconds: number;
    readonly refresh: boolean;
    readonly config: Record<string, unknown>;
    readonly secretsRef?: Record<string, Reference>;
    readonly envRefs: Record<string, Reference>;
    readonly workspaceTemplate: { readonly spec: { readonly image: string } };
  };
}

function objects<T extends KubernetesObject>(...path: string[]): T[] {
  const documents = parseAllDocuments(readFileSync(join(examples, ...path), "utf8"));
  return documents.map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as T;
  });
}

describe("the samples for the Pulumi Kubernetes Operator", () => {
  const rbac = objects("operator", "workspace-rbac.yaml");
  const stacks = ["stack-local.yaml", "stack-remote.yaml"].flatMap((file) => objects<Stack>("operator", file));
  const named = (kind: string, name: string) =>
    rbac.find((object) => object.kind === kind && object.metadata.name === name) ?? expect.fail(`no ${kind} ${name}`);
  const account = { kind: "ServiceAccount", name: "k8sauth-deployer", namespace: "k8sauth-system" };

  test("give the workspace's account the deployer's rights of the token flow, and what the operator demands", () => {
    const rights = objects("deployer-rights", "token.yaml");
    for (const kind of ["Role", "ClusterRole"]) {
      const role = rights.find((object) => object.kind === kind) ?? expect.fail(`no ${kind}`);
      expect(named(kind, role.metadata.name)).toEqual(role);
    }
    const bindings = rbac.filter(({ kind }) => kind.endsWith("Binding"));
    expect(bindings.map(({ roleRef }) => `${roleRef?.kind} ${roleRef?.name}`).sort()).toEqual([
      "ClusterRole k8sauth-deployer",
      "ClusterRole system:auth-delegator",
      "Role k8sauth-deployer",
    ]);
    for (const { subjects } of bindings) expect(subjects).toEqual([account]);
    expect(rbac.filter(({ rules }) => rules)).toHaveLength(2);
  });

  test("run as that account, in its namespace", () => {
    expect(stacks).toHaveLength(2);
    for (const { spec, metadata } of stacks) {
      expect({ kind: "ServiceAccount", name: spec.serviceAccountName, namespace: metadata.namespace }).toEqual(account);
    }
    expect(named("ServiceAccount", account.name).metadata.namespace).toBe(account.namespace);
  });

  test("run again on a schedule, well within the time in which the shortest default credential is renewed", () => {
    const renewal = defaultTokenLifetime / 3;
    for (const { spec } of stacks) {
      expect(spec).toMatchObject({ continueResyncOnCommitMatch: true, refresh: true });
      expect(spec.resyncFrequencySeconds).toBeLessThan(renewal / 10);
    }
  });

  test("set only what the program knows, and secrets only by reference", () => {
    for (const { spec } of stacks) {
      expect(spec.config).toHaveProperty("k8sauth:context");
      const known = Object.keys(schema).map((key) => `k8sauth:${key}`);
      expect(known).toEqual(expect.arrayContaining(Object.keys({ ...spec.config, ...spec.secretsRef })));
      const references = Object.entries({ ...spec.envRefs, ...spec.secretsRef });
      for (const [name, { type, secret, literal }] of references) {
        const open = name === "PULUMI_BACKEND_URL";
        expect(type, name).toBe(open ? "Literal" : "Secret");
        expect(open ? literal : secret, name).toBeDefined();
      }
    }
  });

  test("run a version of Pulumi that works", () => {
    for (const { spec } of stacks) {
      const [, version = ""] = /^pulumi\/pulumi:(\d+\.\d+\.\d+)-nonroot$/.exec(spec.workspaceTemplate.spec.image) ?? [];
      expect(version.localeCompare(oldestVersion, "en", { numeric: true }), version).toBeGreaterThanOrEqual(0);
    }
  });

  test("name the secrets that the README makes", () => {
    const readme = readFileSync(join(examples, "operator", "README.md"), "utf8");
    const references = stacks.flatMap(({ spec }) => Object.values({ ...spec.envRefs, ...spec.secretsRef }));
    for (const { secret } of references) {
      if (!secret) continue;
      expect(readme).toMatch(new RegExp(`create secret generic ${secret.name} .*--from-(file|literal) ${secret.key}=`));
    }
  });
});

describe("the set-up for Pulumi Deployments", () => {
  const text = readFileSync(join(examples, "deployments", "setup.sh"), "utf8");

  test("schedules the renewal and the look for drift", () => {
    const schedules = [
      ...text.matchAll(/^pulumi stack schedule new .*--kind (\w+)(?: --operation (\w+))? --cron '([^']+)'$/gm),
    ];
    expect(schedules.map(([, kind, operation]) => [kind, operation])).toEqual([
      ["raw", "update"],
      ["drift", undefined],
    ]);
    for (const [, , , cron = ""] of schedules) expect(cron.split(" ")).toHaveLength(5);
  });
});

describe("the workflow for GitHub Actions", () => {
  interface Step {
    readonly if?: string;
    readonly uses?: string;
    readonly run?: string;
    readonly with?: Record<string, unknown>;
  }
  interface Workflow {
    readonly on: { readonly schedule: readonly { readonly cron: string }[] };
    readonly jobs: { readonly stack: { readonly strategy: Record<string, unknown>; readonly steps: readonly Step[] } };
  }
  const { on, jobs } = parse(readFileSync(join(examples, "github-actions", "k8sauth.yaml"), "utf8")) as Workflow;
  const { steps, strategy } = jobs.stack;
  const pulumi = steps.filter(({ uses }) => uses?.startsWith("pulumi/actions@"));

  test("previews pull requests with the policy pack, ups, and has an alarm", () => {
    expect(
      pulumi.map((step) => [step.with?.command, step.with?.policyPacks, step.with?.["expect-no-changes"]]),
    ).toEqual([
      ["preview", "policy", undefined],
      ["up", "policy", undefined],
      ["preview", undefined, true],
    ]);
    expect(pulumi[0]?.if).toContain("pull_request");
    expect(readdirSync(program)).toContain("policy");
  });

  test("every schedule starts one of its steps, and every step that is scheduled has a schedule", () => {
    const asked = steps.flatMap((step) =>
      [...(step.if ?? "").matchAll(/event\.schedule == '([^']+)'/g)].map(([, cron]) => cron),
    );
    expect(asked.sort()).toEqual(on.schedule.map(({ cron }) => cron).sort());
  });

  test("runs from a fresh clone: with Node.js 24 and the packages, before Pulumi", () => {
    const prepared = steps.slice(0, steps.indexOf(pulumi[0] ?? expect.fail("no step runs Pulumi")));
    expect(prepared.map(({ uses, run }) => uses?.replace(/@.*/, "") ?? run)).toEqual(
      expect.arrayContaining(["actions/checkout", "actions/setup-node", "npm ci --ignore-scripts"]),
    );
    expect(prepared.find(({ uses }) => uses?.startsWith("actions/setup-node"))?.with).toMatchObject({
      "node-version": 24,
    });
  });

  test("lets no cluster stop another one", () => {
    expect(strategy).toMatchObject({ "fail-fast": false, matrix: { stack: expect.any(Array) } });
  });
});
