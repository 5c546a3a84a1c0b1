/** The deployer's credentials are configuration of the provider: an operation that runs the program uses today's. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { isKubeError, KubeClient, pathFor } from "../../../kubernetes/index.ts";
import { claims } from "../../../kubernetes/jwt.ts";
import { adminOf, inventory, type Lodging, lodging } from "../../support/inventory.ts";
import { program, TestStack } from "../../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { adminToken, kubeconfigFor } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
beforeEach(async () => {
  home = await lodging(admin);
  stack = await TestStack.make("deployer", { allowLoopbackHost: true, ...home.settings });
});
afterEach(async () => {
  await stack[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});
afterAll(() => admin?.close());

interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly provider?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
}

async function resources(): Promise<StateResource[]> {
  const { deployment } = JSON.parse(await stack.command("stack", "export", "--show-secrets")) as {
    deployment: { resources: StateResource[] };
  };
  return deployment.resources;
}

/** A deployer with their own token in a kubeconfig. */
interface Deployer {
  readonly file: string;
  readonly content: string;
  readonly token: string;
}

let count = 0;

async function newDeployer(): Promise<Deployer> {
  const { server, caPem } = admin.connection;
  const token = await adminToken(admin);
  const content = kubeconfigFor(server, caPem, { token });
  const file = join(stack.folder, `kubeconfig-${++count}`);
  await writeFile(file, content);
  return { file, content, token };
}

/** Moves the kubeconfig and revokes the token that was in it. */
async function revoke({ file, token }: Deployer): Promise<void> {
  await rm(file);
  const [, , namespace = "", name = ""] = String(claims(token)?.sub).split(":");
  await admin.delete(pathFor("v1", "ServiceAccount", namespace, name));
  const { server, caPem } = admin.connection;
  using revoked = KubeClient.direct({ server, caPem, token });
  // The API server remembers for 10 s that a token was good.
  while (await isAccepted(revoked)) await sleep(100);
}

async function isAccepted(client: KubeClient): Promise<boolean> {
  try {
    await client.get("/api");
    return true;
  } catch (error) {
    if (isKubeError(error, "KUBE_UNAUTHORIZED")) return false;
    throw error;
  }
}

describe.each([
  ["a path", (deployer: Deployer) => stack.configure({ kubeconfig: deployer.file })],
  ["content", (deployer: Deployer) => stack.configureSecret("kubeconfig", deployer.content)],
])("a kubeconfig that is given as %s", (what, configure) => {
  test("can move and get another token: refresh, up and destroy that run the program use it", async () => {
    const before = await inventory(admin);
    let deployer = await newDeployer();
    const rotate = async () => {
      const next = await newDeployer();
      await configure(next);
      await revoke(deployer);
      deployer = next;
    };
    await configure(deployer);
    await stack.up();
    const outputs = await stack.outputs();

    await rotate();
    const stale = await stack.refresh().catch((error: Error) => error.message);
    expect(stale).toMatch(what === "a path" ? /KUBECONFIG_NOT_FOUND/ : /KUBE_UNAUTHORIZED/);
    expect(stale).toMatch(/The state provided the kubeconfig.*--run-program \(or PULUMI_RUN_PROGRAM=true/s);
    await stack.refresh("--run-program");
    const updated = stack.steps.filter((step) => !step.startsWith("refresh "));
    expect([...new Set(updated)].sort()).toEqual(["update k8sauth", "update kubernetes"]);

    await rotate();
    stack.env.PULUMI_RUN_PROGRAM = "true";
    const { changes } = await stack.up(undefined, "--refresh");
    expect(changes).toMatchObject({ same: expect.any(Number) });
    expect(changes).not.toHaveProperty("replace");
    expect(await stack.outputs()).toEqual(outputs);
    expect(await reviewSelf(outputs.clusterAccess as unknown as Access)).toMatchObject({ authenticated: true });

    await rotate();
    delete stack.env.PULUMI_RUN_PROGRAM;
    await expect(stack.destroy()).rejects.toThrow();
    expect(stack.said).toMatch(/The state provided the kubeconfig.*PULUMI_RUN_PROGRAM=true/s);
    await stack.destroy(undefined, "--run-program");
    const own = (object: string) => !/admin-\d+/.test(object);
    expect((await inventory(admin)).filter(own)).toEqual(before.filter(own));
  });
});

test("the kubeconfig is in the state of providers alone, encrypted, and one provider serves every resource", async () => {
  await stack.configureSecret("kubeconfig", await readFile(kubeconfig, "utf8"));
  await stack.up();
  const all = await resources();
  const holders = all.filter(({ inputs }) => JSON.stringify(inputs ?? {}).includes("client-key-data"));
  expect(holders.map(({ type }) => type).sort()).toEqual(["pulumi:providers:k8sauth", "pulumi:providers:kubernetes"]);
  for (const { inputs = {} } of all.filter(({ type }) => type.startsWith("k8sauth:")))
    expect(inputs).not.toHaveProperty("kubeconfig");
  const providers = all.filter(({ type }) => type === "pulumi:providers:k8sauth");
  expect(providers.map(({ urn }) => urn.split("::").at(-1))).toEqual(["cluster"]);
  const [, key = expect.fail("the kubeconfig holds no key")] =
    /client-key-data: (\S+)/.exec(await readFile(kubeconfig, "utf8")) ?? [];
  expect(await readFile(stack.stateFile, "utf8")).not.toContain(key);
});

describe("a provider whose kubeconfig a preview does not know", () => {
  beforeEach(async () => {
    const file = join(stack.folder, "Pulumi.yaml");
    const project = parse(await readFile(file, "utf8")) as object;
    await writeFile(file, stringify({ ...project, main: join(program, "test", "support", "pulumi", "lateDeployer") }));
    await stack.configure({ kubeconfig, namespace: undefined, createNamespace: undefined });
  });

  test("is previewed, created, and replaces nothing when it changes", async () => {
    const preview = await stack.preview();
    expect(Object.keys(preview.changes)).toEqual(["create"]);
    await stack.up();
    expect(await stack.outputs()).toMatchObject({ subject: expect.stringMatching(/^system:serviceaccount:reviewer-/) });
    expect((await stack.preview()).changes).toEqual({ same: expect.any(Number) });

    // Another key makes the kubeconfig unknown once more. The Kubernetes provider takes that for another cluster, in a preview.
    await stack.configure({ certificateKeyType: "P256" });
    const replaced = () =>
      stack.events.flatMap((event) =>
        event.kind === "step" && event.replaces.length > 0
          ? [event.urn.split("::").at(-2)?.split("$").at(-1) ?? ""]
          : [],
      );
    await stack.preview();
    expect(replaced().filter((type) => /^(k8sauth|pulumi:providers:k8sauth)/.test(type))).toEqual([]);
    await stack.up();
    expect([...new Set(replaced())]).toEqual(["tls:index/privateKey:PrivateKey"]);
  });
});
