import { spawn } from "node:child_process";
import { createPublicKey, type JsonWebKey } from "node:crypto";
import { once } from "node:events";
import { rename } from "node:fs/promises";
import { request } from "node:https";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { discoveryPaths, verifierRules } from "../../../components/verifier/manifests.ts";
import { pathFor } from "../../../kubernetes/index.ts";
import { bundleClient } from "../../../verifier/bundle/bundle.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { VerifierProcess } from "../../support/verifier/process.ts";
import { until } from "../../support/verifier/verifier.ts";
import { audience, Cluster } from "./fixture.ts";

let cluster: Cluster;
let issuer: string;
let pem: string;

beforeAll(async () => {
  cluster = await Cluster.make(workerKubeconfig());
  await cluster.account("caller");
  ({ issuer } = await cluster.admin.get<{ issuer: string }>("/.well-known/openid-configuration"));
  const { keys } = await cluster.admin.get<{ keys: JsonWebKey[] }>("/openid/v1/jwks");
  pem = keys.map((key) => createPublicKey({ key, format: "jwk" }).export({ type: "spki", format: "pem" })).join("\n");
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const start = (more: object, ready = true) => VerifierProcess.start(cluster.folder, cluster.settings(more), ready);

function settingsOf(mode: string): object {
  return mode === "jwt-pubkey" ? { mode, issuer, publicKeyFile: cluster.write("sa.pub", pem) } : { mode };
}

describe.each(["hybrid", "tokenreview", "oidc-discovery", "jwt-pubkey"])("mode %s", (mode) => {
  test("knows a pod by its token, and refuses tokens for others, forged ones and none", async () => {
    await using verifier = await start(settingsOf(mode));
    const pod = await cluster.pod("caller");
    const token = await cluster.token("caller", audience, { kind: "Pod", name: pod });
    const subject = `system:serviceaccount:${cluster.namespace}:caller`;
    const good = await verifier.ask(token, { Accept: "application/json" });
    expect(good.status).toBe(200);
    expect(JSON.parse(good.body)).toMatchObject({
      sub: subject,
      iss: issuer,
      aud: [audience],
      namespace: cluster.namespace,
      service_account_name: "caller",
      service_account_uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      pod_name: pod,
      pod_uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      jti: expect.any(String),
    });
    expect(good.headers).toMatchObject({
      "x-k8sauth-subject": subject,
      "x-k8sauth-pod-name": pod,
      "x-k8sauth-secret-name": "",
    });

    const signature = token.slice(token.lastIndexOf(".") + 1);
    const flipped = `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
    expect((await verifier.ask(token.slice(0, -signature.length) + flipped)).status).toBe(401);
    expect((await verifier.ask(await cluster.token("caller", "another-audience"))).status).toBe(401);
    expect((await verifier.ask(await cluster.token("caller", null))).status).toBe(401);
    const none = await verifier.ask();
    expect(none).toMatchObject({ status: 401, headers: { "www-authenticate": 'Bearer realm="kubernetes"' } });
    expect(verifier.output.join("\n")).not.toContain(signature.slice(0, 40));
    expect(verifier.output.join("\n")).not.toMatch(/eyJ/);
  });

  test("knows the Secret that a token is bound to", async () => {
    await using verifier = await start(settingsOf(mode));
    const secret = await cluster.secret();
    const { status, headers } = await verifier.ask(
      await cluster.token("caller", audience, { kind: "Secret", name: secret }),
    );
    expect({ status, secret: headers["x-k8sauth-secret-name"] }).toEqual({ status: 200, secret });
  });

  test("refuses a token Secret's token, which has no audience and never expires", async () => {
    await using verifier = await start(settingsOf(mode));
    await cluster.secret({
      metadata: { name: cluster.fresh("legacy"), annotations: { "kubernetes.io/service-account.name": "caller" } },
      type: "kubernetes.io/service-account-token",
    });
    let token = "";
    await until(async () => {
      const { items } = await cluster.admin.get<{ items: { type: string; data?: { token?: string } }[] }>(
        `/api/v1/namespaces/${cluster.namespace}/secrets`,
      );
      const found = items.find(({ type, data }) => type === "kubernetes.io/service-account-token" && data?.token);
      token = Buffer.from(found?.data?.token ?? "", "base64").toString();
      return token !== "";
    }, "the token Secret is filled");
    expect((await verifier.ask(token)).status).toBe(401);
  });
});

describe("what is deleted", () => {
  test("is refused within the review cache's time and the API server's 10 s by hybrid and tokenreview, and not seen by JWT modes", async () => {
    const cacheSeconds = 2;
    await using hybrid = await start({ mode: "hybrid", reviewCacheSeconds: cacheSeconds });
    await using review = await start({ mode: "tokenreview", reviewCacheSeconds: cacheSeconds });
    await using discovery = await start({ mode: "oidc-discovery" });
    const all = [hybrid, review, discovery];
    const pod = await cluster.pod("caller");
    const podToken = await cluster.token("caller", audience, { kind: "Pod", name: pod });
    await cluster.account("short-lived");
    const accountToken = await cluster.token("short-lived");
    for (const verifier of all) {
      expect((await verifier.ask(podToken)).status).toBe(200);
      expect((await verifier.ask(accountToken)).status).toBe(200);
    }
    await cluster.remove("Pod", pod);
    await cluster.remove("ServiceAccount", "short-lived");
    const deadline = (cacheSeconds + 10) * 1000 + 1_000;
    const gone = async (token: string) => {
      const statuses = await Promise.all([hybrid.ask(token), review.ask(token)]);
      return statuses.every(({ status }) => status === 401);
    };
    await Promise.all([
      until(() => gone(podToken), "the pod's token is refused", deadline),
      until(() => gone(accountToken), "the account's token is refused", deadline),
    ]);
    expect((await discovery.ask(podToken)).status).toBe(200);
  });
});

describe("the verifier's own rights", () => {
  test("without the right to review it is not ready, says why, and answers 503; with it, it works", async () => {
    await cluster.account("powerless");
    const apiTokenFile = cluster.write("powerless-token", await cluster.token("powerless", null));
    await using verifier = await start({ mode: "tokenreview", apiTokenFile }, false);
    await until(() => verifier.output.join().includes("REVIEW_FORBIDDEN"), "it says what is missing");
    expect((await verifier.readiness()).status).toBe(503);
    const { status, headers } = await verifier.ask(await cluster.token("caller"));
    expect(status).toBe(503);
    expect(Number(headers["retry-after"])).toBeGreaterThan(0);
    await cluster.grant("powerless");
    await verifier.ready();
    await until(async () => (await verifier.ask(await cluster.token("caller"))).status === 200, "it works", 5_000);
  });

  test("its token is read again when the API server does not take the old one any more", async () => {
    const secret = await cluster.secret();
    const apiTokenFile = cluster.write(
      "rotating",
      await cluster.token("verifier", null, { kind: "Secret", name: secret }),
    );
    await using verifier = await start({ mode: "tokenreview", apiTokenFile, reviewCacheSeconds: 0 });
    expect((await verifier.ask(await cluster.token("caller"))).status).toBe(200);
    const next = cluster.write("rotating.next", await cluster.token("verifier", null));
    await rename(next, apiTokenFile);
    await cluster.remove("Secret", secret);
    // The API server forgets the old token after its own ten seconds; no call fails.
    const statuses = new Set<number>();
    const end = Date.now() + 12_000;
    while (Date.now() < end) statuses.add((await verifier.ask(await cluster.token("caller"))).status);
    expect([...statuses]).toEqual([200]);
  });

  const strangerAsks = (path: string) =>
    new Promise<number>((resolve, reject) => {
      const outgoing = request(cluster.server + path, { rejectUnauthorized: false, agent: false });
      outgoing.once("error", reject);
      outgoing.once("response", (incoming) => {
        incoming.resume();
        resolve(incoming.statusCode ?? 0);
      });
      outgoing.end();
    });

  test("discovery works for it while it stays closed to strangers", async () => {
    for (const path of discoveryPaths) expect([401, 403]).toContain(await strangerAsks(path));
    await using verifier = await start({ mode: "oidc-discovery" });
    expect((await verifier.ask(await cluster.token("caller"))).status).toBe(200);
  });

  test("discovery works with the rights that it is deployed with alone, where somebody took the standard ones away", async () => {
    const rbac = "rbac.authorization.k8s.io/v1";
    const standard = pathFor(rbac, "ClusterRoleBinding", undefined, "system:service-account-issuer-discovery");
    const { metadata: _made, ...binding } = await cluster.admin.get(standard);
    await cluster.account("reader");
    const apiTokenFile = cluster.write("reader-token", await cluster.token("reader", null));
    await cluster.admin.delete(standard);
    try {
      await using verifier = await start({ mode: "oidc-discovery", apiTokenFile }, false);
      await until(
        () => verifier.output.join().includes("system:service-account-issuer-discovery"),
        "it says what is missing",
      );
      expect((await verifier.ask(await cluster.token("caller"))).status).toBe(503);
      await cluster.grant("reader", verifierRules("oidc-discovery"));
      await verifier.ready();
      expect((await verifier.ask(await cluster.token("caller"))).status).toBe(200);
      for (const path of discoveryPaths) expect([401, 403]).toContain(await strangerAsks(path));
    } finally {
      const name = "system:service-account-issuer-discovery";
      await cluster.admin.create(pathFor(rbac, "ClusterRoleBinding"), { ...binding, metadata: { name } });
    }
  });
});

test("the client, from its one file, calls with the projected token and sees it rotate", async () => {
  await using verifier = await start({ mode: "hybrid" });
  const program = cluster.write("client.mjs", (await bundleClient()).code);
  const secret = await cluster.secret();
  const tokenFile = cluster.write(
    "caller-token",
    await cluster.token("caller", audience, { kind: "Secret", name: secret }),
  );
  const flags = [
    "--url",
    `http://127.0.0.1:${verifier.port}/`,
    "--token-file",
    tokenFile,
    "--interval",
    "0.2",
    "--show-body",
    "yes",
  ];
  const child = spawn(process.execPath, ["--permission", `--allow-fs-read=${cluster.folder}/`, program, ...flags], {
    env: {},
  });
  const seen: { status: number; body: string }[] = [];
  createInterface(child.stdout).on("line", (line) => seen.push(JSON.parse(line)));
  try {
    await until(() => seen.length >= 3, "it calls");
    await rename(cluster.write("caller-token.next", await cluster.token("caller")), tokenFile);
    await cluster.remove("Secret", secret);
    // The API server and the verifier forget the old token within twenty seconds; no call fails for it.
    const end = Date.now() + 22_000;
    await until(() => Date.now() > end, "the old token is dead", 30_000);
    expect([...new Set(seen.map(({ status, body }) => `${status} ${body}`))]).toEqual([
      `200 system:serviceaccount:${cluster.namespace}:caller\n`,
    ]);
  } finally {
    const closed = once(child, "close");
    child.kill("SIGKILL");
    await closed;
  }
});

test("allow rules decide by namespace, ServiceAccount and pod", async () => {
  const pod = await cluster.pod("caller");
  const bound = await cluster.token("caller", audience, { kind: "Pod", name: pod });
  await using verifier = await start({ mode: "hybrid", allow: [`${cluster.namespace}/call*/pod-*`] });
  expect((await verifier.ask(bound)).status).toBe(200);
  const { status, headers } = await verifier.ask(await cluster.token("caller"));
  expect(status).toBe(403);
  expect(headers["www-authenticate"]).toContain('error="insufficient_scope"');
});
