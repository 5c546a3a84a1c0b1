import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { makeCertificate } from "../../sandbox/cluster/certificate.ts";
import { nodeImage, type Sandbox } from "../../sandbox/index.ts";
import { bundleVerifier } from "../../verifier/bundle/bundle.ts";
import { hasChanges } from "../support/pulumi/engineEvents.ts";
import { TestStack } from "../support/pulumi/stack.ts";
import { callVerifier } from "./callVerifier.ts";
import { apply, kubectl, noNode, outputOf, pod, readFileIn, restrictedNamespace, sharedSandbox, soon } from "./pods.ts";

const audience = "orders";

describe.skipIf(noNode)("a deployed verifier", () => {
  let sandbox: Sandbox;
  let stack: TestStack;
  let namespace: string;
  let url: string;
  let calls = 0;
  /** Known beforehand, so that a Secret can be put there. */
  const own = `verifier-${Math.random().toString(36).slice(2, 8)}`;

  /** The verifier's answer to a pod with a token for `tokenAudience`, or without one. */
  function callFromPod(serviceAccountName: string, tokenAudience?: string) {
    calls += 1;
    return callVerifier(sandbox, url, {
      namespace,
      name: `caller-${calls}`,
      serviceAccountName,
      audience: tokenAudience,
    });
  }

  beforeAll(async () => {
    sandbox = sharedSandbox();
    namespace = await restrictedNamespace(sandbox, "callers");
    const account = (name: string) => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } });
    await apply(sandbox, account("caller"), account("stranger"));
    stack = await TestStack.make("verifier", {
      kubeconfig: sandbox.kubeconfig,
      allowLoopbackHost: true,
      tokenFlow: false,
      verifier: true,
      verifierAudiences: [audience],
      verifierAllow: [`${namespace}/caller`],
      verifierImage: nodeImage,
      verifierNamespace: own,
    });
    await stack.up();
    ({ url } = (await stack.outputs()).verifier as unknown as { url: string });
  });

  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  test("answers a pod's projected token with who it is, down to the pod", async () => {
    const { status, body, name } = await callFromPod("caller", audience);
    expect(status, body).toBe(200);
    expect(JSON.stringify(JSON.parse(body))).toContain(name);
    expect(body).toContain(`system:serviceaccount:${namespace}:caller`);
  });

  test("refuses a token for another audience, none at all, and an account that no rule lets in", async () => {
    const other = await callFromPod("caller", "payments");
    expect(other.status).toBe(401);
    expect(other.challenge).toContain('error="invalid_token"');
    const none = await callFromPod("caller");
    expect(none.status).toBe(401);
    expect(none.challenge).not.toContain("error=");
    expect((await callFromPod("stranger", audience)).status).toBe(403);
  });

  test("refuses the token of a deleted pod once the review's memory is over", async () => {
    const script = `setInterval(() => {}, 1000); process.on("SIGTERM", () => process.exit(0));`;
    await apply(sandbox, pod({ namespace, name: "doomed", script, serviceAccountName: "caller", audience }));
    await kubectl(sandbox, ["wait", "-n", namespace, "--for=condition=Ready", "pod/doomed", "--timeout=60s"]);
    const token = await readFileIn(sandbox, namespace, "doomed", "/var/run/secrets/tokens/token");
    await kubectl(sandbox, ["delete", "pod", "-n", namespace, "doomed", "--grace-period=1", "--wait=true"]);
    const replay = `
      const token = process.argv[1];
      for (;;) {
        const { status } = await fetch("${url}", { headers: { authorization: "Bearer " + token } });
        if (status === 401) break;
        await new Promise((next) => setTimeout(next, 500));
      }
      console.log("refused");
    `;
    await apply(
      sandbox,
      pod({
        namespace,
        name: "replay",
        args: ["--input-type=module", "-e", replay, token],
        serviceAccountName: "caller",
      }),
    );
    expect(await outputOf(sandbox, namespace, "replay")).toBe("refused\n");
  });

  test("has two pods that the restricted standard accepts, without a mounted default token", async () => {
    expect((await stack.outputs()).verifier).toMatchObject({ namespace: own });
    const label = await kubectl(sandbox, ["get", "namespace", own, "-o", "jsonpath={.metadata.labels}"]);
    expect(label).toContain('"pod-security.kubernetes.io/enforce":"restricted"');
    const ready = await kubectl(sandbox, [
      "get",
      "deployment",
      "-n",
      own,
      "verifier",
      "-o",
      "jsonpath={.status.readyReplicas}",
    ]);
    expect(ready).toBe("2");
  });

  test("has the file of `npm run bundle` in the ConfigMap that its pods mount, byte for byte", async () => {
    const read = (args: string, path: string) =>
      kubectl(sandbox, [...args.split(" "), "-n", own, "-o", `jsonpath={${path}}`]);
    const map = await read("get deployment verifier", '.spec.template.spec.volumes[?(@.name=="app")].configMap.name');
    const code = await read(`get configmap ${map}`, ".data.verifier\\.mjs");
    expect(createHash("sha256").update(code).digest("hex")).toBe((await bundleVerifier()).sha256);
  });

  test("changes nothing when it is deployed again", async () => {
    expect(hasChanges((await stack.up()).changes)).toBe(false);
  });

  test.each(["tokenreview", "oidc-discovery", "jwt-pubkey"])("works in the mode %s", async (verifierMode) => {
    await stack.configure({ verifierMode });
    await stack.up();
    await vi.waitFor(async () => {
      expect((await callFromPod("caller", audience)).status).toBe(200);
    }, soon);
    expect((await callFromPod("caller", "payments")).status).toBe(401);
  });

  test("serves TLS with a certificate from a Secret, to a pod that mounts what the stack says", async () => {
    const ca = makeCertificate({ commonName: "verifier-ca" });
    const serving = makeCertificate({ commonName: "verifier", issuer: ca, names: [`verifier.${own}.svc`] });
    await apply(sandbox, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "serving", namespace: own },
      type: "kubernetes.io/tls",
      stringData: { "tls.crt": serving.certPem, "tls.key": serving.keyPem },
    });
    await stack.configure({ verifierMode: "hybrid", verifierTlsSecret: "serving" });
    await stack.up();
    const { verifier, notes } = (await stack.outputs()) as unknown as {
      verifier: { url: string; callers: Record<string, { tokenPath: string; volume: object; volumeMount: object }> };
      notes: string[];
    };
    expect(verifier.url).toBe(`https://verifier.${own}.svc:8080`);
    expect(notes.join()).toContain(`${nodeImage} is a tag`);
    const { tokenPath, volume, volumeMount } = verifier.callers[audience] ?? { tokenPath: "" };
    const script = `
      import { readFileSync } from "node:fs";
      import { get } from "node:https";
      const headers = { authorization: "Bearer " + readFileSync(${JSON.stringify(tokenPath)}, "utf8") };
      get(${JSON.stringify(verifier.url)}, { headers, ca: ${JSON.stringify(ca.certPem)} }, (response) => {
        console.log(response.statusCode, response.headers["x-k8sauth-service-account-name"]);
        response.resume();
      });
    `;
    const caller = pod({ namespace, name: "caller-tls", script, serviceAccountName: "caller" });
    const { spec } = caller as { spec: { volumes?: unknown[]; containers: { volumeMounts?: unknown[] }[] } };
    spec.volumes = [volume];
    for (const container of spec.containers) container.volumeMounts = [volumeMount];
    await apply(sandbox, caller);
    expect(await outputOf(sandbox, namespace, "caller-tls")).toBe("200 caller\n");
  });
});
