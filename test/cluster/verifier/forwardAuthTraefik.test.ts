/** Traefik with the example's custom resources on a real API server. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { pathFor } from "../../../kubernetes/index.ts";
import { replaceOnce } from "../../forwardAuth/gateway.ts";
import { aliasesOf, forgedBy, identityNames, identityOf } from "../../forwardAuth/headers.ts";
import { buildTimeout, GatewayProcess, host, RecordingService } from "../../forwardAuth/index.ts";
import { ensureTraefik, traefikModule } from "../../forwardAuth/traefik/index.ts";
import { kubectl } from "../../support/kubectl.ts";
import { program } from "../../support/project.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { closedPort } from "../../support/server.ts";
import { VerifierProcess } from "../../support/verifier/process.ts";
import { ask } from "../../support/verifier/verifier.ts";
import { Cluster } from "./fixture.ts";

let cluster: Cluster;
let verifier: VerifierProcess;
let service: RecordingService;
let traefik: GatewayProcess;
/** Removes what is not in the cluster's namespace. */
let cleanUp: () => Promise<unknown> = async () => {};

async function apply(...args: string[]): Promise<void> {
  const kubeconfig = await readFile(workerKubeconfig(), "utf8");
  const { status, stderr } = await kubectl(cluster.folder, kubeconfig, ...args);
  if (status !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
}

beforeAll(async () => {
  const binary = await ensureTraefik();
  const reference = join(await traefikModule(), "docs", "content", "reference", "dynamic-configuration");
  cluster = await Cluster.make(workerKubeconfig());
  const { namespace } = cluster;
  await cluster.account("caller");
  verifier = await VerifierProcess.start(cluster.folder, cluster.settings({ allow: [`${namespace}/caller`] }));
  service = await RecordingService.start();

  const crds = join(reference, "kubernetes-crd-definition-v1.yml");
  cleanUp = () => apply("delete", "--ignore-not-found", "-f", crds);
  await apply("apply", "--server-side", "-f", crds);
  await apply("wait", "--for=condition=Established", "--timeout=30s", "-f", crds);

  // The example with this test's namespace and addresses.
  let text = await readFile(join(program, "examples", "forward-auth", "traefik", "kubernetes.yaml"), "utf8");
  const flags = [...text.matchAll(/^# +(--entryPoints\.\S+)$/gm)].map(([, flag = ""]) =>
    flag.replace("=shop-", `=${namespace}-`),
  );
  expect(flags).toHaveLength(2);
  text = replaceOnce(text, "verifier.k8sauth-verifier.svc:8080", `127.0.0.1:${verifier.port}`);
  text = replaceOnce(text, "port: 8080", `port: ${service.port}`).replaceAll(
    "namespace: shop\n",
    `namespace: ${namespace}\n`,
  );
  const file = join(cluster.folder, "kubernetes.yaml");
  await writeFile(file, text);
  await apply("apply", "--validate=strict", "-f", file);
  // The service runs beside the cluster.
  await cluster.admin.create(pathFor("v1", "Service", namespace), {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "orders" },
    spec: { type: "ExternalName", externalName: "localhost", ports: [{ port: service.port }] },
  });

  // The rights that Traefik's documentation gives it.
  const rbac = parseAllDocuments(await readFile(join(reference, "kubernetes-crd-rbac.yml"), "utf8"));
  const [{ rules }] = rbac.map((document) => document.toJS()) as [{ rules: object[] }];
  await cluster.account("traefik");
  await cluster.grant("traefik", rules);
  const token = cluster.write("traefik-token", await cluster.token("traefik", null));
  const port = await closedPort();
  traefik = await GatewayProcess.start({
    name: "traefik",
    port,
    files: {},
    command: () => [
      binary,
      ...flags,
      `--entryPoints.websecure.address=127.0.0.1:${port}`,
      `--providers.kubernetesCRD.endpoint=${cluster.server}`,
      `--providers.kubernetesCRD.certAuthFilePath=${cluster.caFile}`,
      `--providers.kubernetesCRD.token=${token}`,
      `--providers.kubernetesCRD.namespaces=${namespace}`,
      "--providers.kubernetesCRD.allowExternalNameServices=true",
    ],
  });
}, buildTimeout);
afterAll(async () => {
  await traefik?.[Symbol.asyncDispose]();
  await verifier?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
  await cleanUp();
  await cluster?.[Symbol.asyncDispose]();
});
beforeEach(() => service.reset());

const call = (token?: string, headers: Record<string, string> = {}) =>
  ask(traefik.port, token, { Host: host, ...headers });

test("a caller's request reaches the service with who it is, and without its token", async () => {
  expect((await call(await cluster.token("caller"), forgedBy(identityNames))).status).toBe(200);
  const [{ headers } = { headers: {} }] = service.seen;
  expect(headers).toMatchObject({
    "x-k8sauth-subject": `system:serviceaccount:${cluster.namespace}:caller`,
    "x-k8sauth-pod-name": "",
  });
  expect(identityOf(headers)).not.toContain("forged");
  expect(headers).not.toHaveProperty("authorization");
});

test("a refused one does not", async () => {
  expect((await call()).status).toBe(401);
  expect((await call(await cluster.token("verifier"))).status).toBe(403);
  expect(service.seen).toEqual([]);
});

test("nor does one with a name that reads like an identity header's", async () => {
  const token = await cluster.token("caller");
  for (const header of identityNames.flatMap(aliasesOf))
    expect((await call(token, forgedBy([header]))).status).toBe(400);
  expect(service.seen).toEqual([]);
});
