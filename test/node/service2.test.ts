import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { nodeImage, type Sandbox } from "../../sandbox/index.ts";
import { bundleClient } from "../../verifier/bundle/bundle.ts";
import { TestStack } from "../support/pulumi/stack.ts";
import { apply, claimsOf, kubectl, noNode, outputOf, pod, readFileIn, sharedSandbox, soon } from "./pods.ts";

const namespace = "mytest";
const url = "http://service2.mytest.svc";
const audience = "service2";
const tokenFile = "/var/run/secrets/tokens/token";

interface Call {
  readonly time: string;
  readonly status?: number;
  readonly error?: string;
  readonly body?: string;
}

/** A Deployment of the client: it calls service2 twice a second with a token that the kubelet projects for ten minutes. */
class Client {
  readonly name: string;
  readonly #sandbox: Sandbox;

  private constructor(sandbox: Sandbox, name: string) {
    this.#sandbox = sandbox;
    this.name = name;
  }

  static async deploy(sandbox: Sandbox, name: string, tokenAudience = audience): Promise<Client> {
    const read = ["/app/", "/var/run/secrets/tokens/"].map((folder) => `--allow-fs-read=${folder}`);
    const flags = ["--url", url, "--token-file", tokenFile, "--interval", "0.5", "--show-body", "yes"];
    const args = ["--permission", ...read, "/app/client.mjs", ...flags];
    const { spec } = pod({ namespace, name, args, serviceAccountName: name, audience: tokenAudience }) as {
      spec: { containers: { volumeMounts: object[] }[]; volumes: object[]; restartPolicy?: string };
    };
    spec.restartPolicy = "Always";
    spec.volumes.push({ name: "app", configMap: { name: "client" } });
    spec.containers[0]?.volumeMounts.push({ name: "app", mountPath: "/app", readOnly: true });
    const labels = { app: name };
    await apply(
      sandbox,
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name, namespace },
        spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
      },
    );
    const client = new Client(sandbox, name);
    await client.rolledOut();
    return client;
  }

  async rolledOut(): Promise<void> {
    await kubectl(this.#sandbox, ["rollout", "status", "-n", namespace, `deployment/${this.name}`, "--timeout=60s"]);
  }

  /** Name of its pod. */
  async pod(): Promise<string> {
    const selector = ["-l", `app=${this.name}`, "--field-selector=status.phase=Running"];
    return kubectl(this.#sandbox, [
      "get",
      "pods",
      "-n",
      namespace,
      ...selector,
      "-o",
      "jsonpath={.items[0].metadata.name}",
    ]);
  }

  token = async () => readFileIn(this.#sandbox, namespace, await this.pod(), tokenFile);

  /** All that its pod has called so far. */
  async calls(): Promise<Call[]> {
    const text = await kubectl(this.#sandbox, ["logs", "-n", namespace, await this.pod()]);
    return text
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  }

  /** Waits for calls that began after now, and returns those. */
  async next(count = 4): Promise<Call[]> {
    const from = new Date().toISOString();
    return vi.waitFor(async () => {
      const later = (await this.calls()).filter(({ time }) => time > from).slice(0, count);
      expect(later.length).toBe(count);
      return later;
    }, soon);
  }
}

const statuses = (calls: readonly Call[]) => [...new Set(calls.map(({ status, error }) => status ?? error))];

describe.skipIf(noNode)("service2 in the namespace mytest, and its clients", () => {
  let sandbox: Sandbox;
  let stack: TestStack;
  let client: Client;

  beforeAll(async () => {
    sandbox = sharedSandbox();
    stack = await TestStack.make("service2", {
      kubeconfig: sandbox.kubeconfig,
      allowLoopbackHost: true,
      tokenFlow: false,
      verifier: true,
      verifierAudiences: [audience],
      verifierImage: nodeImage,
      verifierNamespace: namespace,
    });
    await stack.up();
    await apply(
      sandbox,
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "service2", namespace },
        spec: { selector: { "app.kubernetes.io/name": "verifier" }, ports: [{ port: 80, targetPort: "http" }] },
      },
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "client", namespace },
        data: { "client.mjs": (await bundleClient()).code },
      },
    );
    client = await Client.deploy(sandbox, "client");
  });

  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  /** Checks that no call failed so far. Else shows those that did, and why the verifier refused them. */
  async function expectNoFailure(): Promise<void> {
    const failures = (await client.calls()).filter(({ status }) => status !== 200);
    if (failures.length === 0) return;
    const logs = ["logs", "-n", namespace, "-l", "app.kubernetes.io/name=verifier", "--prefix", "--tail=-1"];
    const lines = (await kubectl(sandbox, logs)).split("\n");
    expect.fail(
      [...failures.map((call) => JSON.stringify(call)), ...lines.filter((line) => /"(error|warn)"/.test(line))].join(
        "\n",
      ),
    );
  }

  const configuration = async (): Promise<Record<string, unknown>> => {
    const get = ["get", "configmaps", "-n", namespace, "-l", "app.kubernetes.io/name=verifier"];
    return JSON.parse(await kubectl(sandbox, [...get, "-o", "jsonpath={.items[0].data.config\\.json}"]));
  };

  test.each(["tokenreview", "jwt-pubkey", "oidc-discovery", "hybrid"])(
    "in the mode %s it knows the client by its name, and no call fails while it changes to it",
    async (verifierMode) => {
      await stack.configure({ verifierMode });
      await stack.up();
      expect(await configuration()).toMatchObject({ mode: verifierMode, audience: [audience] });
      expect((await client.next()).map(({ status, body }) => [status, body])).toEqual(
        Array(4).fill([200, `system:serviceaccount:${namespace}:client\n`]),
      );
      await expectNoFailure();
    },
  );

  test("keys by discovery come from https://kubernetes.default.svc, trusted by the mounted CA", async () => {
    await stack.configure({ verifierMode: "oidc-discovery" });
    await stack.up();
    const { issuer, apiCaFile } = await configuration();
    expect(issuer).toMatch(/^https:\/\/kubernetes\.default\.svc(\.cluster\.local)?$/);
    expect(apiCaFile).toBe("/var/run/secrets/k8sauth-verifier/ca.crt");
    expect(statuses(await client.next())).toEqual([200]);
  });

  test("a client whose token is for another service is refused", async () => {
    const stranger = await Client.deploy(sandbox, "stranger", "service1");
    expect(statuses(await stranger.next())).toEqual([401]);
    await kubectl(sandbox, ["delete", "deployment", "-n", namespace, "stranger"]);
  });

  test.each(["hybrid", "tokenreview"])(
    "in the mode %s a client whose ServiceAccount is deleted is refused, and its next pod is not, once there is one again",
    async (verifierMode) => {
      await stack.configure({ verifierMode });
      await stack.up();
      const name = `doomed-${verifierMode}`;
      const doomed = await Client.deploy(sandbox, name);
      expect(statuses(await doomed.next())).toEqual([200]);
      await kubectl(sandbox, ["delete", "serviceaccount", "-n", namespace, name]);
      await vi.waitFor(async () => expect((await doomed.calls()).at(-1)?.status).toBe(401), {
        // The review's memory and the API server's own, ten seconds each, and a busy machine's.
        timeout: 30_000,
        interval: 500,
      });
      const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } };
      await apply(sandbox, account);
      // It has the name, but is another one.
      expect(statuses(await doomed.next())).toEqual([401]);
      await kubectl(sandbox, ["rollout", "restart", "-n", namespace, `deployment/${name}`]);
      await doomed.rolledOut();
      await vi.waitFor(async () => expect(statuses(await doomed.next())).toEqual([200]), soon);
      await kubectl(sandbox, ["delete", "deployment", "-n", namespace, name]);
    },
  );

  /** The kubelet asks for a new token once 80 % of the old one's ten minutes, the shortest life there is, are over. */
  test("the client's token is replaced before it dies, and no call fails for it", { timeout: 720_000 }, async () => {
    const first = await client.token();
    const { iat, exp, jti } = claimsOf(first) as { iat: number; exp: number; jti: string };
    expect(exp - iat).toBe(600);
    // An early replacement would come from a kubelet that was restarted.
    const renewed = await vi.waitFor(
      async () => {
        const token = await client.token();
        expect(claimsOf(token).jti).not.toBe(jti);
        return token;
      },
      { timeout: 600_000, interval: 2_000 },
    );
    const now = Date.now() / 1000;
    expect(now).toBeGreaterThan(iat + 450);
    expect(now).toBeLessThan(exp);
    expect(claimsOf(renewed)).toMatchObject({ sub: claimsOf(first).sub, aud: [audience] });
    // Beyond the end of the old one, and the tolerated difference of clocks.
    await vi.waitFor(() => expect(Date.now() / 1000).toBeGreaterThan(exp + 11), { timeout: 200_000, interval: 1_000 });
    expect(statuses(await client.next())).toEqual([200]);
    await expectNoFailure();
    const replay = `
      const { status, headers } = await fetch("${url}", { headers: { authorization: "Bearer " + process.argv[1] } });
      console.log(status, headers.get("www-authenticate"));
    `;
    const args = ["--input-type=module", "-e", replay, first];
    await apply(sandbox, pod({ namespace, name: "replay", args, serviceAccountName: "client" }));
    expect(await outputOf(sandbox, namespace, "replay")).toMatch(/^401 .*The token has expired/);
  });
});
