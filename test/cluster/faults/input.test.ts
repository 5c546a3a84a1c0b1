import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeClient, loadConnection } from "../../../kubernetes/index.ts";
import { adminOf, inventory } from "../../support/inventory.ts";
import { changedKubeconfig } from "../../support/kubeconfigs.ts";
import { type InterceptingProxy, interceptingProxy } from "../../support/proxies/interceptingProxy.ts";
import { Wire } from "../../support/proxies/wire.ts";
import type { Value } from "../../support/pulumi/stack.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { sharedSandbox, workerKubeconfig } from "../../support/sandbox.ts";
import { bindingOf, bindingPath } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
const sandbox = sharedSandbox();
const opened: AsyncDisposable[] = [];
let admin: KubeClient;
let folder: string;
let other: InterceptingProxy;
let elsewhere: Wire;
let closed: string;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  folder = await mkdtemp(join(tmpdir(), "k8sauth-input-"));
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  other = await interceptingProxy(server, caPem);
  elsewhere = await Wire.to(server, "127.0.0.2");
  const gone = await Wire.to(server);
  closed = gone.url;
  gone.cut();
  opened.push(other, elsewhere);
  await admin.create(bindingPath(), bindingOf("k8sauth-test-taken", "default", "somebody", "view"));
});

afterAll(async () => {
  await admin?.delete(bindingPath("k8sauth-test-taken"), { ignoreNotFound: true });
  for (const one of opened) await one[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
  admin?.close();
});

interface Fault {
  readonly config?: Record<string, Value>;
  readonly kubeconfig?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Says what went wrong with an up that has this wrong with it. */
async function failureOf({ config = {}, env = {}, kubeconfig: content }: Fault) {
  const before = await inventory(admin);
  await using stack = await TestStack.make("bad", { kubeconfig, allowLoopbackHost: true }, env);
  if (content !== undefined) {
    await writeFile(join(stack.folder, "kubeconfig"), content);
    await stack.configure({ kubeconfig: join(stack.folder, "kubeconfig") });
  }
  await stack.configure(config);
  const error = await stack.up().then(
    () => expect.fail("the up succeeded"),
    (thrown: Error) => thrown,
  );
  const text = `${error.message}\n${stack.said}`;
  // Nothing was created, and the state contains the stack alone.
  expect(await inventory(admin)).toEqual(before);
  const state = await readFile(stack.stateFile, "utf8").catch(() => "");
  if (state) {
    const { resources = [], pending_operations = [] } = JSON.parse(state).checkpoint.latest;
    const made = ({ custom, type }: { custom: boolean; type: string }) =>
      custom && !type.startsWith("pulumi:providers:");
    expect(resources.filter(made)).toEqual([]);
    expect(pending_operations).toEqual([]);
  }
  return text;
}

async function user(name: string, ttlSeconds: number) {
  const { certPem, keyPem } = await sandbox.issueClientCertificate({ commonName: name, ttlSeconds });
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return { "client-certificate-data": base64(certPem), "client-key-data": base64(keyPem) };
}

describe("an up is refused before anything is created, with what is wrong and where:", () => {
  test.each<[string, () => Fault | Promise<Fault>, RegExp[]]>([
    [
      "no kubeconfig anywhere",
      () => ({
        config: { kubeconfig: "" },
        env: { KUBECONFIG: undefined, HOME: folder, XDG_CACHE_HOME: join(folder, "cache") },
      }),
      [/KUBECONFIG_NOT_FOUND/],
    ],
    [
      "a kubeconfig that is not there",
      () => ({ config: { kubeconfig: "/nowhere/kubeconfig" } }),
      [/KUBECONFIG_/, /\/nowhere\/kubeconfig/],
    ],
    [
      "a context that is unknown",
      () => ({ config: { context: "nonsense" } }),
      [/KUBECONFIG_CONTEXT_UNKNOWN/, /nonsense/, /sandbox-default/],
    ],
    [
      "a CA file that is missing",
      () => ({
        kubeconfig: changedKubeconfig(kubeconfig, {
          cluster: { "certificate-authority-data": undefined, "certificate-authority": "/nowhere/ca.crt" },
        }),
      }),
      [/KUBECONFIG_CA_MISSING/, /\/nowhere\/ca\.crt/],
    ],
    [
      "a host that shows another certificate",
      () => ({ config: { kubernetesHost: other.url } }),
      [/KUBE_TLS_UNTRUSTED/, /127\.0\.0\.1/],
    ],
    [
      "a host whose certificate is for another name",
      () => ({ config: { kubernetesHost: elsewhere.url } }),
      [/KUBE_TLS_NAME/, /127\.0\.0\.2/],
    ],
    [
      "a server that refuses connections",
      () => ({ kubeconfig: changedKubeconfig(kubeconfig, { cluster: { server: closed } }) }),
      [/KUBE_REFUSED/],
    ],
    [
      "credentials that have expired",
      async () => ({ kubeconfig: changedKubeconfig(kubeconfig, { user: await user("late", -60) }) }),
      [/KUBE_UNAUTHORIZED|KUBE_TLS|expired/i],
    ],
    [
      "rights that are missing",
      async () => ({ kubeconfig: changedKubeconfig(kubeconfig, { user: await user("no-rights", 600) }) }),
      [/CLUSTER_RIGHTS_MISSING/, /create namespaces/, /create clusterrolebindings/],
    ],
    [
      "a host that only this machine reaches",
      () => ({ config: { allowLoopbackHost: false } }),
      [/CLUSTER_HOST_LOOPBACK/, /127\.0\.0\.1/],
    ],
    [
      "a name over its limit",
      () => ({ config: { namespace: "n".repeat(64) } }),
      [/k8sauth:namespace has 64 characters/],
    ],
    [
      "a binding's name that is taken",
      () => ({ config: { bindingName: "k8sauth-test-taken" } }),
      [/CLUSTER_NAME_TAKEN/, /k8sauth-test-taken/],
    ],
    ["a namespace that is taken", () => ({ config: { namespace: "default" } }), [/CLUSTER_NAME_TAKEN/, /default/]],
    [
      "settings that are unknown, too long or contradict each other",
      () => ({ config: { nonsense: "1", bindingName: "b".repeat(254), createNamespace: false } }),
      [
        /k8sauth:nonsense is not a setting/,
        /k8sauth:bindingName has 254 characters/,
        /k8sauth:createNamespace is false/,
      ],
    ],
    [
      "a setting of the wrong type",
      () => ({ config: { createNamespace: "perhaps" } }),
      [/k8sauth:createNamespace is "perhaps"\. Set it to true or false/],
    ],
  ])("%s", async (_what, fault, telling) => {
    const text = await failureOf(await fault());
    for (const pattern of telling) expect(text).toMatch(pattern);
  });
});

test("a value that is refused is not printed: it may hold a password", async () => {
  const text = await failureOf({ config: { kubernetesHost: "https://admin:a-password@api.example:6443" } });
  expect(text).toMatch(/k8sauth:kubernetesHost: CLUSTER_HOST_INVALID/);
  expect(text).not.toContain("a-password");
});
