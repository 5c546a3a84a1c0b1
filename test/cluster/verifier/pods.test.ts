/** Whether an API server accepts the objects of the Verifier component, and keeps every field of them. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { Verifier } from "../../../components/index.ts";
import { kubectl } from "../../support/kubectl.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { only, render } from "../../unit/components/render.ts";

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
