import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { KubeClient } from "../../kubernetes/index.ts";
import type { Sandbox } from "../../sandbox/index.ts";
import {
  apply,
  claimsOf,
  clientOf,
  kubectl,
  noNode,
  outputOf,
  pod,
  podReady,
  readFileIn,
  restrictedNamespace,
  sharedSandbox,
  soon,
} from "./pods.ts";

const audience = "https://verifier.example";
const tokenFile = "/var/run/secrets/tokens/token";
/** Answers callers with their address. SIGTERM ends it. */
const server = `
import { createServer } from "node:http";
createServer((request, response) => {
  response.end("hello " + request.socket.remoteAddress);
}).listen(8080, () => console.log("listening as", process.getuid()));
process.on("SIGTERM", () => process.exit(0));
`;

describe.skipIf(noNode)("a pod on the node", () => {
  let sandbox: Sandbox;
  let client: KubeClient;
  let namespace: string;

  const tokenOf = (name: string) => readFileIn(sandbox, namespace, name, tokenFile);
  const review = async (value: string) => {
    const body = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token: value, audiences: [audience] },
    };
    return (await client.create<{ status: ReviewStatus }>("/apis/authentication.k8s.io/v1/tokenreviews", body)).status;
  };

  beforeAll(async () => {
    sandbox = sharedSandbox();
    client = await clientOf(sandbox);
    namespace = await restrictedNamespace(sandbox, "web");
    await apply(
      sandbox,
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "web", namespace } },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web", namespace },
        spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
      },
      pod({ namespace, name: "web", script: server, serviceAccountName: "web", audience, port: 8080 }),
    );
    await podReady(sandbox, namespace, "web");
  });

  afterAll(() => client?.close());

  test("runs under the restricted standard, and shows what it writes through the API server", async () => {
    expect(await kubectl(sandbox, ["logs", "-n", namespace, "web"])).toBe("listening as 65532\n");
    const privileged = pod({ namespace, name: "privileged", script: "" });
    const { securityContext: _dropped, ...spec } = privileged.spec as Record<string, unknown>;
    await expect(apply(sandbox, { ...privileged, spec })).rejects.toThrow(/violates PodSecurity "restricted/);
  });

  test("has a projected token of ten minutes that a TokenReview knows the pod by", async () => {
    const value = await tokenOf("web");
    const { iat, exp, aud } = claimsOf(value) as { iat: number; exp: number; aud: string[] };
    expect(aud).toEqual([audience]);
    expect(exp - iat).toBe(600);
    const { metadata } = await client.get(`/api/v1/namespaces/${namespace}/pods/web`);
    expect(await review(value)).toMatchObject({
      authenticated: true,
      audiences: [audience],
      user: {
        username: `system:serviceaccount:${namespace}:web`,
        extra: {
          "authentication.kubernetes.io/pod-name": ["web"],
          "authentication.kubernetes.io/pod-uid": [metadata?.uid],
          "authentication.kubernetes.io/node-name": [sandbox.node?.name],
        },
      },
    });
  });

  test("is reached by others under its Service's names, and sees their own addresses", async () => {
    const urls = [`http://web.${namespace}.svc`, `http://web.${namespace}.svc.cluster.local/`, "http://web"];
    const script = `for (const url of ${JSON.stringify(urls)}) console.log(await (await fetch(url)).text());`;
    await apply(sandbox, pod({ namespace, name: "caller", script }));
    const lines = (await outputOf(sandbox, namespace, "caller")).trim().split("\n");
    const { status } = await client.get<{ status: { podIP: string } }>(`/api/v1/namespaces/${namespace}/pods/caller`);
    expect(lines).toEqual(urls.map(() => `hello ::ffff:${status.podIP}`));
  });

  test("reads the issuer's discovery document and keys with the mounted CA and its own token", async () => {
    const script = `
      import { readFileSync } from "node:fs";
      import { get } from "node:https";
      const folder = "/var/run/secrets/kubernetes.io/serviceaccount/";
      const options = {
        ca: readFileSync(folder + "ca.crt"),
        headers: { authorization: "Bearer " + readFileSync(folder + "token") },
      };
      const read = (url) => new Promise((resolve, reject) => get(url, options, (response) => {
        let text = "";
        response.on("data", (part) => { text += part; }).on("end", () => resolve(JSON.parse(text)));
      }).on("error", reject));
      const discovery = await read("https://kubernetes.default.svc/.well-known/openid-configuration");
      const sameByIssuer = await read(discovery.issuer + "/.well-known/openid-configuration");
      console.log(JSON.stringify({ discovery, sameByIssuer, jwks: await read(discovery.jwks_uri) }));
    `;
    await apply(sandbox, pod({ namespace, name: "discovery", script, apiToken: true }));
    const { discovery, sameByIssuer, jwks } = JSON.parse(await outputOf(sandbox, namespace, "discovery"));
    expect(discovery).toMatchObject({
      issuer: "https://kubernetes.default.svc.cluster.local",
      jwks_uri: "https://kubernetes.default.svc.cluster.local/openid/v1/jwks",
    });
    expect(sameByIssuer).toEqual(discovery);
    const header = JSON.parse(Buffer.from((await tokenOf("web")).split(".")[0] ?? "", "base64url").toString());
    expect(jwks.keys.map((key: { kid: string }) => key.kid)).toContain(header.kid);
  });

  test("reaches nothing outside the cluster", async () => {
    const script = `
      import { connect } from "node:net";
      for (const [port, host] of [[${new URL(sandbox.server).port}, "192.0.2.1"], [80, "example.com"]]) {
        const socket = connect({ port, host, timeout: 3000 });
        console.log(await new Promise((resolve) => {
          socket.on("connect", () => resolve("connected")).on("timeout", () => resolve("timeout"));
          socket.on("error", (error) => resolve(error.code));
        }));
      }
      process.exit(0);
    `;
    await apply(sandbox, pod({ namespace, name: "outside", script }));
    expect(await outputOf(sandbox, namespace, "outside")).toBe("ENETUNREACH\nEAI_AGAIN\n");
  });

  test("runs an image that was put together from files", async () => {
    const config = `/etc/${"a-long-name/".repeat(12)}config`;
    await sandbox.node?.importImage({
      name: "localhost/kubectl:1",
      files: [
        { path: "/usr/bin/k8s", from: sandbox.binary },
        { path: config, text: "kind: Config\napiVersion: v1\ncurrent-context: from-the-image\n" },
        { path: "/k8s", link: "usr/bin/k8s" },
      ],
      entrypoint: ["/k8s", "kubectl", "config", "current-context"],
      env: [`KUBECONFIG=${config}`],
      user: "65532",
    });
    await apply(sandbox, pod({ namespace, name: "image", image: "localhost/kubectl:1", args: [] }));
    expect(await outputOf(sandbox, namespace, "image")).toBe("from-the-image\n");
  });

  test("that names an image which was not imported does not start, for there is no registry", async () => {
    await apply(sandbox, pod({ namespace, name: "absent", image: "localhost/absent:1", args: [] }));
    await vi.waitFor(async () => {
      const path = "{.status.containerStatuses[0].state.waiting.reason}";
      const reason = await kubectl(sandbox, ["get", "pod", "-n", namespace, "absent", "-o", `jsonpath=${path}`]);
      expect(reason).toBe("ErrImageNeverPull");
    }, soon);
  });

  test("that is deleted is gone within its grace period, and its token is refused", async () => {
    await apply(
      sandbox,
      pod({ namespace, name: "short", script: server, serviceAccountName: "web", audience, port: 8080 }),
    );
    await podReady(sandbox, namespace, "short");
    const value = await tokenOf("short");
    expect(await review(value)).toMatchObject({ authenticated: true });
    await client.delete(`/api/v1/namespaces/${namespace}/pods/short`);
    await vi.waitFor(async () => {
      expect(await client.find(`/api/v1/namespaces/${namespace}/pods/short`)).toBeUndefined();
    }, soon);
    // The API server keeps its own answers for ten seconds.
    await vi.waitFor(async () => expect((await review(value)).authenticated ?? false).toBe(false), soon);
  });
});

interface ReviewStatus {
  readonly authenticated?: boolean;
}
