import { readFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { type KubeClient, type KubeObject, pathFor } from "../../../kubernetes/index.ts";
import { adminOf, type Lodging, lodging } from "../../support/inventory.ts";
import { PulumiProcess } from "../../support/pulumi/pulumiProcess.ts";
import { program, TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const folder = join(program, "examples", "drift");
const kubeconfig = workerKubeconfig();
const rbac = "rbac.authorization.k8s.io/v1";
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
  stack = await TestStack.make("prod", {
    kubeconfig,
    allowLoopbackHost: true,
    ...home.settings,
    bindingName: `drift-job-${process.pid}`,
  });
  await stack.up();
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
  admin?.close();
});

interface PodTemplate {
  readonly spec: {
    readonly containers: [
      {
        readonly command: string[];
        readonly args: string[];
        readonly env: { readonly name: string; readonly value: string }[];
      },
    ];
  };
}

/** Path, size and time of every file of the backend: the job mounts it read-only. */
async function stateFiles(): Promise<string[]> {
  const root = join(stack.folder, "state");
  const entries = await readdir(root, { recursive: true });
  const files = await Promise.all(entries.map(async (path) => ({ path, ...(await stat(join(root, path))) })));
  return files.map(({ path, size, mtimeMs }) => `${path} ${size} ${mtimeMs}`).sort();
}

function cronJob() {
  const documents = parseAllDocuments(readFileSync(join(folder, "cronjob.yaml"), "utf8"));
  const objects = documents.map((document) => document.toJS() as KubeObject);
  const found = objects.find(({ kind }) => kind === "CronJob") ?? expect.fail("there is no CronJob");
  const { jobTemplate } = found.spec as { jobTemplate: { spec: { template: PodTemplate; podFailurePolicy: unknown } } };
  return jobTemplate.spec;
}

/** The arguments of `pulumi` in the CronJob's container, as the kubelet passes them. */
function argsOfCronJob(): string[] {
  const [{ command, args, env }] = cronJob().template.spec.containers;
  expect(command).toEqual(["pulumi"]);
  const expanded = args.map((arg) => env.reduce((text, { name, value }) => text.replaceAll(`$(${name})`, value), arg));
  // The volume is mounted somewhere else here.
  return expanded.map((arg) => arg.replace("/state", stack.folder));
}

/** Those of the systemd unit for this stack. */
function argsOfUnit(): string[] {
  const unit = readFileSync(join(folder, "k8sauth-drift@.service"), "utf8");
  const [, words = ""] = /^ExecStart=\/usr\/bin\/env pulumi (.+)$/m.exec(unit) ?? [];
  return words.replaceAll("%i", stack.name).split(" ");
}

describe.each([
  ["the CronJob's command", argsOfCronJob],
  ["the systemd unit's command", argsOfUnit],
])("%s", (_what, argsOf) => {
  const run = async (env: NodeJS.ProcessEnv = {}) => {
    // The container and the unit run in the folder of Pulumi.yaml.
    const args = [...argsOf(), "--cwd", stack.folder];
    const job = new PulumiProcess(stack.pulumi.command, args, { ...stack.env, ...env });
    const files = await stateFiles();
    const status = await job.end();
    expect(await stateFiles()).toEqual(files);
    return { status, said: job.output };
  };

  test("ends with 0 if nothing has drifted, with 7 if a binding is gone, and with 0 after an up; it writes no state", async () => {
    expect(await run()).toMatchObject({ status: 0 });
    await admin.delete(pathFor(rbac, "ClusterRoleBinding", undefined, `drift-job-${process.pid}`));
    expect(await run()).toMatchObject({
      status: 7,
      said: expect.stringMatching(/\+ .*:ClusterRoleBinding gateway-token-reviewer create/),
    });
    await stack.refresh();
    await stack.up();
    expect(await run()).toMatchObject({ status: 0 });
  });

  test("ends with another status if the run fails", async () => {
    const { status, said } = await run({ PULUMI_CONFIG_PASSPHRASE: "another" });
    expect([0, 7]).not.toContain(status);
    expect(said).toMatch(/incorrect passphrase/);
  });
});

test("the CronJob fails at once for status 7 alone, and its pod is admitted where the restricted standard is enforced", async () => {
  const { template, podFailurePolicy } = cronJob();
  expect(podFailurePolicy).toEqual({
    rules: [{ action: "FailJob", onExitCodes: { containerName: "drift", operator: "In", values: [7] } }],
  });
  const { namespace } = home.settings;
  const path = pathFor("v1", "Namespace", undefined, namespace);
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  await admin.apply(path, { apiVersion: "v1", kind: "Namespace", metadata: { labels } }, { fieldManager: "test" });
  await admin.create(pathFor("v1", "ServiceAccount", namespace), {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "drift" },
  });
  const pod = { apiVersion: "v1", kind: "Pod", ...template, metadata: { name: "drift" } };
  const tried = admin.create(pathFor("v1", "Pod", namespace), pod, { dryRun: true });
  await expect(tried).resolves.toMatchObject({ kind: "Pod" });
});
