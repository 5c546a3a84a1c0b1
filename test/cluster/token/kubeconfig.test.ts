import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type KubeClient, loadConnection } from "../../../kubernetes/index.ts";
import { adminOf, inventory, type Lodging, lodging } from "../../support/inventory.ts";
import { changedKubeconfig } from "../../support/kubeconfigs.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { sharedSandbox, workerKubeconfig } from "../../support/sandbox.ts";
import { adminToken } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let home: Lodging;
let folder: string;
/** Outputs of a stack with a plain kubeconfig. */
let wanted: Access;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
  folder = await mkdtemp(join(tmpdir(), "k8sauth-kubeconfig-"));
  const { server: host, caPem } = await loadConnection({ kubeconfig }, {});
  wanted = { host, caPem, token: "" };
});

afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
  admin?.close();
});

async function expectWorks(stack: TestStack): Promise<void> {
  const access = (await stack.outputs()).clusterAccess as unknown as Access;
  expect(access).toMatchObject({ host: wanted.host, caPem: wanted.caPem });
  expect(await reviewSelf(access)).toMatchObject({ authenticated: true });
}

test("a kubeconfig whose exec plugin gives a client certificate works like any other", async () => {
  const before = await inventory(admin);
  const { certPem, keyPem } = await sharedSandbox().issueClientCertificate({
    commonName: "deployer",
    organizations: ["system:masters"],
  });
  const status = { clientCertificateData: certPem, clientKeyData: keyPem };
  const answer = { apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status };
  const script = join(folder, "credentials.sh");
  await writeFile(join(folder, "answer.json"), JSON.stringify(answer));
  await writeFile(script, `#!/bin/sh\n[ "$CLUSTER_NAME" = prod ] || exit 1\ncat "$(dirname "$0")/$1"\n`);
  await chmod(script, 0o755);
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    command: script,
    args: ["answer.json"],
    env: [{ name: "CLUSTER_NAME", value: "prod" }],
    interactiveMode: "Never",
  };
  const file = join(folder, "exec.yaml");
  await writeFile(file, changedKubeconfig(kubeconfig, { user: { exec } }));
  await using stack = await TestStack.make("exec", { kubeconfig: file, allowLoopbackHost: true, ...home.settings });
  await stack.up();
  await expectWorks(stack);
  expect((await stack.preview()).changes).toEqual({ same: expect.any(Number) });
  await stack.destroy();
  expect(await inventory(admin)).toEqual(before);
});

test("the account of the pod that it runs in works like a kubeconfig", async () => {
  const before = await inventory(admin);
  await writeFile(join(folder, "token"), await adminToken(admin));
  await writeFile(join(folder, "ca.crt"), wanted.caPem);
  await writeFile(join(folder, "namespace"), "default");
  const { hostname, port } = new URL(wanted.host);
  const env = {
    HOME: folder,
    KUBECONFIG: undefined,
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port,
    XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? join(process.env.HOME ?? "/root", ".cache"),
  };
  const settings = { context: "in-cluster", allowLoopbackHost: true, ...home.settings };
  await using stack = await TestStack.make("pod", settings, env);
  // The folder of a pod's account has a fixed place: a mount namespace of its own has it there and nowhere else.
  const account = "/run/secrets/kubernetes.io/serviceaccount";
  const pod = [
    "unshare",
    "--mount",
    "sh",
    "-ec",
    `mount -t tmpfs tmpfs /run; mkdir -p ${account}; cp "${folder}"/token "${folder}"/ca.crt "${folder}"/namespace ${account}; exec "$@"`,
    "pod",
  ];
  await stack.initialize();
  const run = async (operation: string) => {
    const process = stack.spawn([operation, "--yes", "--skip-preview"], { wrap: pod });
    expect(await process.end(), process.output).toBe(0);
    return process.output;
  };
  await run("up");
  await expectWorks(stack);
  expect(await run("up")).toMatch(/Resources:\n\s+\d+ unchanged\n/);
  await run("destroy");
  const bound = (object: string) => !/admin-\d+/.test(object);
  expect((await inventory(admin)).filter(bound)).toEqual(before.filter(bound));
});

test("several contexts, a CA file and the KUBECONFIG variable lead to the same", async () => {
  await writeFile(join(folder, "ca.pem"), wanted.caPem);
  const config = JSON.parse(
    changedKubeconfig(kubeconfig, {
      cluster: { "certificate-authority-data": undefined, "certificate-authority": "ca.pem" },
    }),
  );
  const [{ context }] = config.contexts;
  config.contexts = [
    { name: "nowhere", context: { cluster: "none", user: "none" } },
    { name: "here", context },
  ];
  config["current-context"] = "nowhere";
  await writeFile(join(folder, "many.yaml"), JSON.stringify(config));
  const env = { KUBECONFIG: join(folder, "many.yaml") };
  await using stack = await TestStack.make("many", { context: "here", allowLoopbackHost: true, ...home.settings }, env);
  await stack.up();
  await expectWorks(stack);
  expect(await readFile(stack.stateFile, "utf8")).not.toContain("client-key-data");
});
