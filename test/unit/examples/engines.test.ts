import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { loadProject } from "../../../engine/project.ts";
import { program } from "../../support/stack.ts";

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
  };
}

function objects<T extends KubernetesObject>(...path: string[]): T[] {
  const documents = parseAllDocuments(readFileSync(join(examples, ...path), "utf8"));
  return documents.map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as T;
  });
}

/** Files and folders that a README links to. */
function links(folder: string): string[] {
  const text = readFileSync(join(examples, folder, "README.md"), "utf8");
  return [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link = ""]) => join(examples, folder, link));
}

test.each(["fleet", "operator", "deployments", "github-actions"])("%s: what its README links to is there", (folder) => {
  expect(links(folder).length).toBeGreaterThan(0);
  for (const path of links(folder)) expect(readdirSync(dirname(path)), path).toContain(path.split("/").at(-1));
});

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
    const renewal = 2_592_000 / 3;
    for (const { spec } of stacks) {
      expect(spec).toMatchObject({ continueResyncOnCommitMatch: true, refresh: true });
      expect(spec.resyncFrequencySeconds).toBeLessThan(renewal / 10);
    }
  });

  test("set only what the program knows, and secrets only by reference", async () => {
    const project = await loadProject(program);
    for (const { spec } of stacks) {
      for (const key of Object.keys({ ...spec.config, ...spec.secretsRef }))
        expect(project.config.has(key), key).toBe(true);
      const references = Object.entries({ ...spec.envRefs, ...spec.secretsRef });
      for (const [name, { type, secret, literal }] of references) {
        const open = name === "PULUMI_BACKEND_URL";
        expect(type, name).toBe(open ? "Literal" : "Secret");
        expect(open ? literal : secret, name).toBeDefined();
      }
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
  const script = join(examples, "deployments", "setup.sh");
  const text = readFileSync(script, "utf8");

  test("is a shell script that a shell takes", () => {
    expect(() => execFileSync("sh", ["-n", script])).not.toThrow();
  });

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

  test("lets no cluster stop another one", () => {
    expect(strategy).toMatchObject({ "fail-fast": false, matrix: { stack: expect.any(Array) } });
  });
});
