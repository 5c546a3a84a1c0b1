import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../sandbox/index.ts";
import { nodeImageSpec } from "../../sandbox/node/builtinImages.ts";
import { dockerfileImage } from "../support/dockerfile.ts";
import { hasChanges } from "../support/pulumi/engineEvents.ts";
import { TestStack } from "../support/pulumi/stack.ts";
import { callVerifier } from "./callVerifier.ts";
import { apply, kubectl, noNode, restrictedNamespace, sharedSandbox } from "./pods.ts";

const audience = "orders";
const image = "localhost/k8sauth-verifier:test";
const verifierFile = (name: string) => fileURLToPath(new URL(`../../verifier/${name}`, import.meta.url));

describe.skipIf(noNode)("an image with the verifier, from verifier/Dockerfile", () => {
  const context = mkdtempSync(join(tmpdir(), "k8sauth-image-context-"));
  let sandbox: Sandbox;
  let stack: TestStack;
  let callers: string;
  let own: string;
  let url: string;

  const call = (name: string, serviceAccountName: string, tokenAudience?: string) =>
    callVerifier(sandbox, url, { namespace: callers, name, serviceAccountName, audience: tokenAudience });
  /** Output of a script that Node.js runs in one of the verifier's pods, beside the verifier. */
  const inPod = (script: string) =>
    kubectl(sandbox, ["exec", "-n", own, "deployment/verifier", "--", "/nodejs/bin/node", "-p", script]);

  beforeAll(async () => {
    sandbox = sharedSandbox();
    if (!sandbox.node) throw new Error("the sandbox has no node");
    await promisify(execFile)(process.execPath, [verifierFile("bundle/emit.ts"), context]);
    const base = await nodeImageSpec();
    // Where distroless images have Node.js.
    const distroless = { ...base, files: [...base.files, { path: "/nodejs/bin/node", link: "/usr/local/bin/node" }] };
    await sandbox.node.importImage(
      dockerfileImage({ dockerfile: verifierFile("Dockerfile"), context, base: distroless, name: image }),
    );
    callers = await restrictedNamespace(sandbox, "callers");
    const account = (name: string) => ({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name, namespace: callers },
    });
    await apply(sandbox, account("caller"), account("stranger"));
    stack = await TestStack.make("verifier-image", {
      kubeconfig: sandbox.kubeconfig,
      allowLoopbackHost: true,
      tokenFlow: false,
      verifier: true,
      verifierAudiences: [audience],
      verifierAllow: [`${callers}/caller`],
      verifierImage: image,
      verifierSelfContainedImage: true,
    });
    await stack.up();
    ({ url, namespace: own } = (await stack.outputs()).verifier as unknown as { url: string; namespace: string });
  });

  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    rmSync(context, { recursive: true, force: true });
  });

  test("answers as one whose program is in a ConfigMap", async () => {
    const known = await call("known", "caller", audience);
    expect(known.status, known.body).toBe(200);
    expect(JSON.parse(known.body)).toMatchObject({ sub: `system:serviceaccount:${callers}:caller`, pod_name: "known" });
    expect(await call("other-audience", "caller", "payments")).toMatchObject({
      status: 401,
      challenge: expect.stringContaining('error="invalid_token"'),
    });
    expect((await call("no-token", "caller")).status).toBe(401);
    expect((await call("stranger", "stranger", audience)).status).toBe(403);
  });

  test("has the files of `npm run bundle`, and runs them: the ConfigMap holds the configuration alone", async () => {
    const sums = JSON.parse(
      await inPod(`
        const sum = (name) => crypto.createHash("sha256").update(fs.readFileSync("/app/" + name)).digest("hex");
        JSON.stringify(Object.fromEntries(fs.readdirSync("/app").map((name) => [name, sum(name)])))
      `),
    );
    const emitted = ["LICENSE", "verifier.cdx.json", "verifier.licenses.txt", "verifier.mjs"].map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(context, name)))
        .digest("hex"),
    ]);
    expect(sums).toEqual(Object.fromEntries(emitted));
    expect(await inPod(`fs.readFileSync("/proc/1/cmdline", "utf8").split("\\0").at(-4)`)).toBe("/app/verifier.mjs\n");
    const maps = JSON.parse(await kubectl(sandbox, ["get", "configmap", "-n", own, "-o", "json"]));
    const keys = maps.items.flatMap(({ data }: { data: object }) => Object.keys(data));
    expect(keys.sort()).toEqual(["ca.crt", "config.json"]);
  });

  test("runs as the user of the Dockerfile, and can write nothing", async () => {
    expect(await inPod("process.getuid() + ':' + process.getgid()")).toBe("65532:65532\n");
    await expect(inPod(`fs.writeFileSync("/app/verifier.mjs", "")`)).rejects.toThrow(/EACCES|EROFS/);
    await expect(inPod(`fs.writeFileSync("/tmp/file", "")`)).rejects.toThrow(/EROFS/);
  });

  test("changes nothing when it is deployed again", async () => {
    expect(hasChanges((await stack.up()).changes)).toBe(false);
  });
});
