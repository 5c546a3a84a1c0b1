/** Whether an API server accepts the objects of the Verifier component, and keeps every field of them. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { Verifier } from "../../../components/index.ts";
import { pathFor } from "../../../kubernetes/index.ts";
import { adminOf } from "../../support/inventory.ts";
import { kubectl } from "../../support/kubectl.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { only, render } from "../../unit/components/render.ts";
import { fresh } from "../providerFixture.ts";

let folder: string;
let kubeconfig: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "verifier-pods-"));
  kubeconfig = await readFile(workerKubeconfig(), "utf8");
});
afterAll(async () => {
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** The object as the API server would store it, read strictly. */
async function stored(object: object): Promise<unknown> {
  const file = join(folder, "object.yaml");
  await writeFile(file, stringify(object));
  const { status, stdout, stderr } = await kubectl(
    folder,
    kubeconfig,
    ...["create", "--dry-run=server", "--validate=strict", "-o", "json", "-f", file],
  );
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

test("scale, limits and confinement of the pods", async () => {
  const { objects } = await render(
    (cluster) =>
      new Verifier("verifier", {
        cluster,
        audiences: ["orders"],
        namespace: "default",
        createNamespace: false,
        replicas: 2,
        maxReplicas: 6,
        resources: { cpuRequest: "200m", cpuLimit: "1", memoryLimit: "256Mi" },
        hostUsers: false,
        egressCidrs: ["10.0.0.1/32", "fd00::/8"],
      }),
  );
  expect(await stored(only(objects, "Deployment"))).toMatchObject({
    spec: {
      template: {
        spec: {
          hostUsers: false,
          topologySpreadConstraints: [
            { matchLabelKeys: ["pod-template-hash"] },
            { matchLabelKeys: ["pod-template-hash"] },
          ],
          containers: [
            {
              resources: { requests: { cpu: "200m" }, limits: { cpu: "1", memory: "256Mi" } },
              livenessProbe: { timeoutSeconds: 3 },
              readinessProbe: { timeoutSeconds: 3 },
              startupProbe: { timeoutSeconds: 3 },
            },
          ],
        },
      },
    },
  });
  expect(await stored(only(objects, "HorizontalPodAutoscaler"))).toMatchObject({
    spec: { minReplicas: 2, maxReplicas: 6, scaleTargetRef: { kind: "Deployment", name: "verifier" } },
  });
  expect(await stored(only(objects, "NetworkPolicy"))).toMatchObject({
    spec: { egress: [{ to: [{ ipBlock: { cidr: "10.0.0.1/32" } }, { ipBlock: { cidr: "fd00::/8" } }] }, {}] },
  });
});

test("with verifierSkipAwait an up ends though the cluster has no node for the pods, and nothing else of the verifier is missing", async () => {
  const namespace = fresh("k8sauth-test-skip-await");
  const verifier = { verifier: true, verifierAudiences: ["orders"], verifierNamespace: namespace };
  await using stack = await TestStack.make("skip-await", {
    kubeconfig: workerKubeconfig(),
    allowLoopbackHost: true,
    tokenFlow: false,
    ...verifier,
    verifierSkipAwait: true,
  });
  await stack.up();
  const admin = await adminOf(workerKubeconfig());
  using _ = { [Symbol.dispose]: () => admin.close() };
  const deployment = await admin.find(pathFor("apps/v1", "Deployment", namespace, "verifier"));
  expect(deployment).toMatchObject({ metadata: { annotations: { "pulumi.com/skipAwait": "true" } } });
  expect(deployment).not.toHaveProperty("status.readyReplicas");
  for (const [apiVersion, kind] of [
    ["v1", "Service"],
    ["networking.k8s.io/v1", "NetworkPolicy"],
  ] as const)
    expect(await admin.find(pathFor(apiVersion, kind, namespace, "verifier"))).toBeDefined();
});
