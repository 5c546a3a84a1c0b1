import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { examineCluster } from "../../cli/doctor/cluster.ts";
import { examineGateway, gatewayCheck } from "../../cli/doctor/gateway.ts";
import { KubeClient, pathFor } from "../../kubernetes/index.ts";
import { workloadToken } from "../../kubernetes/reviews.ts";
import { adminOf } from "../support/inventory.ts";
import { workerKubeconfig } from "../support/sandbox.ts";
import { fresh } from "./providerFixture.ts";

const requests = pathFor("certificates.k8s.io/v1", "CertificateSigningRequest");
const options = { namespace: "gateway-auth", required: ["token"], sign: false, now: () => new Date() } as const;
let admin: KubeClient;

beforeAll(async () => {
  admin = await adminOf(workerKubeconfig());
});
afterAll(() => admin?.close());

async function examine(client: KubeClient, more: Partial<Parameters<typeof examineCluster>[1]> = {}) {
  const found = await examineCluster(client, { ...options, ...more });
  return Object.fromEntries(found.map((diagnosis) => [diagnosis.subject, diagnosis]));
}

async function requestNames(): Promise<(string | undefined)[]> {
  const { items } = await admin.get<{ items: { metadata: { name?: string } }[] }>(requests);
  return items.map(({ metadata }) => metadata.name).filter((name) => name?.startsWith("k8sauth-check-"));
}

/** Runs `work` as a new ServiceAccount without rights. */
async function withoutRights(work: (client: KubeClient, account: string) => Promise<void>): Promise<void> {
  const account = fresh("doctor");
  const accounts = pathFor("v1", "ServiceAccount", "default");
  await admin.create(accounts, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: account } });
  try {
    const token = await workloadToken(admin, "default", account, "");
    const { server, caPem } = admin.connection;
    using client = KubeClient.direct({ server, caPem, token, label: "an account without rights" });
    await work(client, account);
  } finally {
    await admin.delete(pathFor("v1", "ServiceAccount", "default", account));
  }
}

describe("doctor on a cluster", () => {
  test("finds everything for an administrator, and requests no certificate unless asked", async () => {
    const found = await examine(admin);
    expect(found).toMatchObject({
      "API server": { status: "ok", seen: expect.stringMatching(/^Kubernetes v1\.\d+\.\d+ at https:.*, as /) },
      clock: { status: "ok" },
      issuer: { status: "ok", seen: "https://kubernetes.default.svc.cluster.local; 1 key" },
      audiences: { status: "ok", seen: "https://kubernetes.default.svc.cluster.local" },
      "rights, token": { status: "ok" },
      "rights, certificate": { status: "ok" },
      "rights, verifier": { status: "ok" },
      "client certificates": { status: "unknown" },
    });
  });

  test("gets a client certificate with --sign, and leaves no request", async () => {
    const { "client certificates": signing } = await examine(admin, { sign: true });
    expect(signing).toMatchObject({
      status: "ok",
      seen: expect.stringContaining("kubernetes.io/kube-apiserver-client"),
    });
    expect(await requestNames()).toEqual([]);
  });

  test("names what an account without rights lacks, which fails for required flows alone", async () => {
    await withoutRights(async (client, account) => {
      const found = await examine(client, { sign: true });
      expect(found).toMatchObject({
        "API server": { status: "ok", seen: expect.stringContaining(`as system:serviceaccount:default:${account}`) },
        issuer: { status: "ok" },
        audiences: { status: "unknown", seen: expect.stringContaining("KUBE_FORBIDDEN") },
        "rights, token": {
          status: "failed",
          seen: expect.stringMatching(
            /^\d+ of \d+ missing, for namespace: gateway-auth.*serviceaccounts.* and \d+ more$/,
          ),
          remedy: "Bind the roles of examples/deployer-rights/token.yaml to the deployer.",
        },
        "rights, verifier": { status: "note" },
        "client certificates": { status: "unknown" },
      });
    });
  });

  test("judges the rights for the default, a generated namespace, and names the setup that needs fewer", async () => {
    await withoutRights(async (client) => {
      expect(await examine(client, { namespace: undefined })).toMatchObject({
        "rights, token": {
          status: "failed",
          seen: expect.stringMatching(/missing, with a generated namespace, the default: create namespaces/),
          remedy: expect.stringMatching(/token-generated-namespace\.yaml.*doctor --namespace gateway-auth/),
        },
      });
      expect(await examine(admin, { namespace: undefined })).toMatchObject({ "rights, token": { status: "ok" } });
    });
  });

  test("fails for a credential that the API server does not accept", async () => {
    const { server, caPem } = admin.connection;
    using client = KubeClient.direct({ server, caPem, token: "unknown", label: "a wrong token" });
    expect(await examineCluster(client, options)).toEqual([
      expect.objectContaining({
        subject: "API server",
        status: "failed",
        seen: expect.stringContaining("KUBE_UNAUTHORIZED"),
      }),
    ]);
  });
});

describe("doctor on the gateway's way to a cluster", () => {
  const through = async (host: string, allowLoopback: boolean) => {
    const { caPem, server } = admin.connection;
    const target = { host, caPem, allowLoopback, fromKubeconfig: host === server };
    const settings = { machine: "this machine", printCheck: "k8sauth doctor", signal: AbortSignal.timeout(20_000) };
    const found = await examineGateway(admin, target, settings);
    return Object.fromEntries(found.map((diagnosis) => [diagnosis.subject, diagnosis]));
  };

  test("refuses the sandbox's address for a gateway elsewhere, and proves it for a gateway on this machine", async () => {
    const { server } = admin.connection;
    const { host } = await through(server, false);
    expect(host).toMatchObject({ status: "failed", seen: expect.stringContaining("a loopback address") });
    expect(await through(server, true)).toMatchObject({ host: { status: "note" }, connection: { status: "ok" } });
  });

  test("recognizes the address of the Service by the cluster's networks, and never proposes it", async () => {
    const service = pathFor("v1", "Service", "default", "kubernetes");
    const { spec } = await admin.get<{ spec: { clusterIP: string } }>(service);
    const { address } = await through(`https://${spec.clusterIP}`, false);
    expect(address).toMatchObject({ status: "failed", seen: expect.stringContaining("the cluster's Services") });
    const { host } = await through(admin.connection.server, false);
    expect(host?.remedy).not.toContain(spec.clusterIP);
  });

  test("prints a command that gets the version from the API server", async () => {
    const { server: host, caPem } = admin.connection;
    const { stdout } = await promisify(execFile)("sh", ["-c", gatewayCheck({ host, caPem })]);
    expect(JSON.parse(stdout)).toMatchObject({ gitVersion: expect.stringMatching(/^v1\./) });
  });
});
