/**
 * Secrets are searched for in everything that a run leaves and shows: state, settings, output at every level, diffs, errors, command lines,
 * environments, logs, metrics and answers. Where the state has them, they are encrypted.
 */
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type KubeClient, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { Canaries } from "../../support/canaries.ts";
import { certificateRequest } from "../../support/crypto/certificateRequest.ts";
import { PushingStack } from "../../support/gateways/akeylessStack.ts";
import { adminOf, type Lodging, lodging } from "../../support/inventory.ts";
import { changedKubeconfig } from "../../support/kubeconfigs.ts";
import { FaultProxy } from "../../support/proxies/faultProxy.ts";
import { program, TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { VerifierProcess } from "../../support/verifier/process.ts";
import { ask } from "../../support/verifier/verifier.ts";
import { Cluster } from "../verifier/fixture.ts";

interface Credentials {
  readonly token?: string;
  readonly privateKeyPem?: string;
}

const kubeconfig = workerKubeconfig();
const up = ["up", "--yes", "--skip-preview"];
const debug = ["--debug", "-v=11", "--logtostderr"];
const random = () => randomBytes(18).toString("base64url");
const newKey = () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const pemOf = (key: KeyObject) => key.export({ type: "pkcs1", format: "pem" }) as string;
let admin: KubeClient;
let home: Lodging;
let canaries: Canaries;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
beforeEach(async () => {
  canaries = new Canaries();
  home = await lodging(admin);
  const { users } = parse(await readFile(kubeconfig, "utf8")) as { users: [{ user: Record<string, string> }] };
  canaries.hide("the deployer's key", Buffer.from(users[0].user["client-key-data"] ?? "", "base64").toString());
});
afterEach(() => home?.[Symbol.asyncDispose]());
afterAll(() => admin?.close());

/** A stack, with what is in its environment hidden. */
async function stackOf(name: string, settings: Parameters<typeof TestStack.make>[1]): Promise<TestStack> {
  const [passphrase, password] = [random(), random()];
  canaries.hide("the passphrase", passphrase);
  canaries.hide("the password of the proxy", password);
  const proxy = `http://deployer:${password}@127.0.0.1:9`;
  const direct = { NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" };
  const env = { HTTPS_PROXY: proxy, https_proxy: proxy, ...direct, PULUMI_CONFIG_PASSPHRASE: passphrase };
  const stack = await TestStack.make(name, { allowLoopbackHost: true, ...home.settings, ...settings }, env);
  await stack.configureSecret("kubeconfig", await readFile(kubeconfig, "utf8"));
  return stack;
}

/** Hides the credentials that a stack has now. Expects the state to hold them, encrypted. */
async function hideCredentials(stack: TestStack, run: string): Promise<void> {
  const { token, privateKeyPem } = (await stack.outputs()).clusterAccess as Credentials;
  if (token !== undefined) canaries.hide(`the token of ${run}`, token);
  if (privateKeyPem !== undefined) canaries.hide(`the key of ${run}`, privateKeyPem);
  const inTheClear = canaries.within(await stack.command("stack", "export", "--show-secrets"));
  expect(inTheClear).toEqual(expect.arrayContaining([token ? `the token of ${run}` : `line 0 of the key of ${run}`]));
  expect(canaries.within(await readFile(stack.stateFile, "utf8"))).toEqual([]);
}

/** Flags for the policy pack, which sees every value. */
async function policyFlags(stack: TestStack): Promise<string[]> {
  const config = join(stack.folder, "policy.json");
  await writeFile(config, JSON.stringify({ "gateway-host": { allowLoopback: true } }));
  return ["--policy-pack", join(program, "policy"), "--policy-pack-config", config];
}

const eventLog = (stack: TestStack, name: string) => ["--event-log", join(stack.folder, `${name}.log`)];

test("no secret is seen in state, output, diffs, command lines or environments, whatever is run", async () => {
  const signingKey = Buffer.from(pemOf(newKey())).toString("base64");
  canaries.hide("the signing key", signingKey);
  await using stack = await stackOf("hush", { certificateFlow: true, akeylessAccessId: "p-0123456789ab" });
  await stack.configureSecret("akeylessSigningKey", signingKey);
  const packs = await policyFlags(stack);
  expect(await canaries.run(stack, "preview", "--diff", ...packs, "--json", ...debug)).toBe(0);
  expect(await canaries.run(stack, ...up, "--diff", ...eventLog(stack, "first"))).toBe(0);
  await hideCredentials(stack, "run 0");
  for (const [index, flags] of [["--json"], debug].entries()) {
    // Another token and another key in every run: whatever is registered, created and output passes through the engine again.
    const rotation = { current: `epoch-${index}` };
    await stack.configure({ serviceAccountName: `gateway-token-reviewer-${index}`, rotation });
    expect(await canaries.run(stack, ...up, ...packs, ...flags, ...eventLog(stack, `events-${index}`))).toBe(0);
    await hideCredentials(stack, `run ${index + 1}`);
  }
  expect(await canaries.run(stack, "refresh", "--yes", "--skip-preview", "--diff", ...debug)).toBe(0);
  for (const command of [["output", "--json"], ["output"], ["export"]]) {
    expect(await canaries.run(stack, "stack", ...command)).toBe(0);
  }
  await canaries.seeFiles("in the end", stack);

  expect(canaries.count).toBeGreaterThan(50);
  expect(canaries.shown).toEqual([]);
  // The search has looked where secrets would be.
  expect(canaries.length(/events-1\.log in the end/)).toBeGreaterThan(10_000);
  expect(canaries.length(/output of .*-v=11/)).toBeGreaterThan(100_000);
  expect(canaries.saw(/cmd.run/, /command lines/)).toBe(true);
  expect(canaries.length(/environments/)).toBeGreaterThan(100);
});

describe("no secret is seen", () => {
  /** A token of a ServiceAccount with all rights, which goes with its namespace. */
  async function deployersToken(): Promise<string> {
    const { namespace } = home.settings;
    const metadata = { name: "deployer" };
    await admin.create(pathFor("v1", "ServiceAccount", namespace), {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata,
    });
    const rbac = "rbac.authorization.k8s.io/v1";
    await admin.create(pathFor(rbac, "ClusterRoleBinding"), {
      apiVersion: rbac,
      kind: "ClusterRoleBinding",
      metadata: { name: `${namespace}-deployer` },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
      subjects: [{ kind: "ServiceAccount", name: "deployer", namespace }],
    });
    const request = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
    const path = `${pathFor("v1", "ServiceAccount", namespace, "deployer")}/token`;
    return (await admin.create<{ status: { token: string } }>(path, request)).status.token;
  }

  test("of a deployer with a token and of a key that is given, also when the server is not there", async () => {
    const token = await deployersToken();
    const key = newKey();
    canaries.hide("the deployer's token", token);
    canaries.hide("the key that is given", pemOf(key));
    const commonName = `gateway-${randomBytes(4).toString("hex")}`;
    await using stack = await stackOf("given", {
      tokenFlow: false,
      certificateFlow: true,
      certificateCommonName: commonName,
      certificateRequest: certificateRequest(key, { commonName }),
    });
    const content = changedKubeconfig(kubeconfig, { user: { token } });
    await stack.configureSecret("kubeconfig", content);
    await stack.configureSecret("certificateKey", pemOf(key));
    try {
      expect(await canaries.run(stack, "preview", "--diff", ...(await policyFlags(stack)), ...debug)).toBe(0);
      expect(await canaries.run(stack, ...up, ...debug, ...eventLog(stack, "made"))).toBe(0);
      await hideCredentials(stack, "the stack");
      await stack.configure({ certificateExpirationSeconds: 86_400 });
      await stack.configureSecret("kubeconfig", content.replace(/"server":"[^"]*"/, '"server":"https://127.0.0.1:1"'));
      expect(await canaries.run(stack, ...up, ...debug, ...eventLog(stack, "unreachable"))).not.toBe(0);
      expect(canaries.saw(/KUBE_REFUSED/, /output of .*unreachable/)).toBe(true);
      await stack.configureSecret("kubeconfig", content);
      await canaries.seeFiles("in the end", stack);
      expect(canaries.shown).toEqual([]);
    } finally {
      const name = `${home.settings.namespace}-deployer`;
      const path = pathFor("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", undefined, name);
      await admin.delete(path, { ignoreNotFound: true });
    }
  });

  test("of settings that are wrong", async () => {
    const rancherApiKey = `token-abcde ${random()}`;
    const keyPem = pemOf(newKey()).replace("A", "!");
    for (const [what, secret] of Object.entries({ rancherApiKey, keyPem })) canaries.hide(what, secret);
    await using stack = await stackOf("wrong", { reviewerRole: "nonsense", rancherUrl: "https://rancher.example" });
    await stack.configureSecret("rancherApiKey", rancherApiKey);
    await stack.configureSecret("certificateKey", keyPem);
    await stack.configureSecret("akeylessSigningKey", Buffer.from(keyPem).toString("base64"));
    expect(await canaries.run(stack, ...up, ...debug)).not.toBe(0);
    for (const name of ["reviewerRole", "rancherApiKey", "akeylessSigningKey"]) {
      expect(canaries.saw(new RegExp(`k8sauth:${name} `), /output of up/), name).toBe(true);
    }
    // The content of a kubeconfig in the place of its path, encoded.
    await using other = await stackOf("encoded", {});
    const content = await readFile(kubeconfig, "utf8");
    const { "current-context": context } = parse(content) as { "current-context": string };
    canaries.hide("the kubeconfig in base64", Buffer.from(content).toString("base64").slice(0, 60));
    await other.configure({ context });
    await other.configureSecret("kubeconfig", Buffer.from(content).toString("base64"));
    expect(await canaries.run(other, ...up, ...debug)).not.toBe(0);
    expect(canaries.saw(/KUBECONFIG_NOT_FOUND/, /output of up/)).toBe(true);
    for (const one of [stack, other]) await canaries.seeFiles("in the end", one);
    expect(canaries.shown).toEqual([]);
  });

  test("of a token that the server refuses and repeats", async () => {
    await using proxy = await FaultProxy.start(await loadConnection({ kubeconfig }, {}));
    let repeated = "";
    proxy.add({
      method: "POST",
      path: /\/tokenreviews$/,
      change: (review) => {
        repeated = (review.spec as Record<string, string>).token ?? "";
        return { ...review, status: { authenticated: false, error: `unknown token: ${repeated}` } };
      },
    });
    await using stack = await stackOf("refused", { kubernetesHost: proxy.url, kubernetesCa: proxy.caPem });
    expect(await canaries.run(stack, ...up, ...debug, ...eventLog(stack, "refused"))).not.toBe(0);
    expect(canaries.saw(/TOKEN_REFUSED.*unknown token/, /output of up/)).toBe(true);
    canaries.hide("the token that is refused", repeated);
    await canaries.seeFiles("in the end", stack);
    expect(canaries.shown).toEqual([]);
  });

  test("of what a gateway and its account are sent, when they fail and repeat all of it", async () => {
    await using pushing = await PushingStack.make("repeating", kubeconfig, {
      akeylessAuthMethod: { boundNamespaces: ["shop"] },
      ...home.settings,
    });
    const { gateway, stack } = pushing;
    canaries.hide("the access key", gateway.accessKey);
    const sent: Record<string, unknown>[] = [];
    const repeat = (command: string) => {
      gateway.fault = (call) => {
        if (call.command !== command) return undefined;
        sent.push(call.body);
        return { status: 400, body: JSON.stringify({ error: "InvalidParam", message: JSON.stringify(call.body) }) };
      };
    };
    await stack.initialize();
    repeat("auth");
    expect(await canaries.run(stack, ...up, ...debug, ...eventLog(stack, "login"))).not.toBe(0);
    repeat("gateway-create-k8s-auth-config");
    expect(await canaries.run(stack, ...up, ...debug, ...eventLog(stack, "config"))).not.toBe(0);
    expect(canaries.saw(/AKEYLESS_INVALID.*\[secret\]/, /output of up.*login/)).toBe(true);
    expect(canaries.saw(/AKEYLESS_INVALID.*gateway-create-k8s-auth-config/, /output of up.*config/)).toBe(true);
    const [login = {}, config = {}] = [sent.at(0), sent.at(-1)];
    expect(login["access-key"]).toBe(gateway.accessKey);
    for (const field of ["token-reviewer-jwt", "signing-key"]) canaries.hide(field, String(config[field]));
    await canaries.seeFiles("in the end", stack);
    expect(canaries.shown).toEqual([]);
  });

  test("of callers and of the verifier in its answers, log, metrics and environment", async () => {
    await using cluster = await Cluster.make(kubeconfig);
    await cluster.account("caller");
    canaries.hide("the verifier's token", await readFile(cluster.tokenFile, "utf8"));
    const good = await cluster.token("caller");
    const forged = `${good.slice(0, -12)}${random().slice(0, 12)}`;
    const tokens = {
      good,
      forged,
      other: await cluster.token("caller", "another-audience"),
      api: await cluster.token("caller", null),
    };
    for (const [what, token] of Object.entries(tokens)) canaries.hide(`the token: ${what}`, token);
    await using proxy = await FaultProxy.start(await loadConnection({ kubeconfig }, {}));
    const caFile = cluster.write("proxy.crt", proxy.caPem);
    const settings = { mode: "hybrid", logLevel: "debug", auditLog: "all", apiServer: proxy.url, apiCaFile: caFile };
    await using verifier = await VerifierProcess.start(
      cluster.folder,
      cluster.settings({ ...settings, reviewCacheSeconds: 0 }),
    );
    const { pid = 0 } = verifier.child;
    const askAll = async (when: string) => {
      const statuses: number[] = [];
      for (const [what, token] of Object.entries(tokens)) {
        const { status, headers, body } = await verifier.ask(token, { Accept: "application/json" });
        statuses.push(status);
        canaries.see(`the answer to ${what} ${when}`, JSON.stringify({ headers, body }));
      }
      return statuses;
    };
    expect(await askAll("at first")).toEqual([200, 401, 401, 401]);
    proxy.add({
      method: "POST",
      path: /\/tokenreviews$/,
      change: (review) => {
        const { token = "" } = review.spec as Record<string, string>;
        return { ...review, status: { authenticated: false, error: `not${token}` } };
      },
    });
    const [refused] = await askAll("when the server repeats them");
    expect(refused).toBe(401);
    proxy.clear();
    proxy.add({ path: /./, cut: "before" });
    // One that no cache remembers.
    tokens.good = await cluster.token("caller");
    canaries.hide("another good token", tokens.good);
    const [away] = await askAll("when the server is away");
    expect(away).toBe(503);
    canaries.see("metrics", (await ask(verifier.adminPort, undefined, {}, "GET", "/metrics")).body);
    canaries.see("the log", verifier.output.join("\n"));
    canaries.see("the environment", await readFile(`/proc/${pid}/environ`, "utf8"));
    canaries.see("the command line", await readFile(`/proc/${pid}/cmdline`, "utf8"));
    expect(canaries.shown).toEqual([]);
    expect(canaries.saw(/k8sauth_verifier_/, /metrics/)).toBe(true);
    expect(canaries.saw(/review_refused/, /the log/)).toBe(true);
  });
});
