import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { readSources } from "../../../sandbox/build/build.ts";
import { identify } from "../../../sandbox/build/process.ts";
import { componentNames, controlPlanePlan } from "../../../sandbox/cluster/plan.ts";
import { canRunNode, startSandbox } from "../../../sandbox/index.ts";
import { containerdListens } from "../../../sandbox/node/import.ts";
import { machineArgs, outsideIdentity } from "../../../sandbox/node/machine.ts";
import { nodeApiserverArgs, nodeConfiguration, nodeFiles, nodePlan } from "../../../sandbox/node/plan.ts";
import { cgroupsAreWritable, missingCapabilities } from "../../../sandbox/node/requirements.ts";

const folder = fileURLToPath(new URL("../../../sandbox", import.meta.url));
const input = {
  nodeName: "blue",
  apiserverPort: 6443,
  cgroup: "sandbox-1",
  containerd: "/usr/bin/containerd",
  cni: "/usr/lib/cni",
  snapshotter: "overlayfs",
} as const;

test("a cancelled wait for containerd is reported as cancelled, and not as a timeout", async () => {
  const waiting = containerdListens(folder, 60_000, AbortSignal.abort());
  await expect(waiting).rejects.toMatchObject({
    code: "SANDBOX_ABORTED",
    message: expect.stringContaining("was cancelled"),
  });
});

describe("whether a machine can run a node", () => {
  test("is true, or lists the missing requirements", () => {
    const support = canRunNode();
    if (support.ok) expect(support).toEqual({ ok: true });
    else expect(support.missing.length).toBeGreaterThan(0);
  });

  test("depends on capabilities that root in a container lacks", () => {
    expect(missingCapabilities("Name:\tnode\nCapEff:\t000001ffffffffff\n")).toEqual([]);
    expect(missingCapabilities("CapEff:\t00000000a80425fb\n")).toEqual(["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
    expect(missingCapabilities("CapEff:\t00000000a80435fb\n")).toEqual(["CAP_SYS_ADMIN"]);
  });

  test("depends on writable cgroups of version 1 or 2", () => {
    const memory = "cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n";
    const pids = "cgroup /sys/fs/cgroup/pids cgroup ro,relatime,pids 0 0\n";
    expect(cgroupsAreWritable(memory)).toBe(true);
    expect(cgroupsAreWritable(memory + pids)).toBe(false);
    expect(cgroupsAreWritable("cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n")).toBe(true);
    expect(cgroupsAreWritable("proc /proc proc rw 0 0\n")).toBe(false);
  });

  test("a node with an invalid name is refused before anything is created", async () => {
    const home = mkdtempSync(join(tmpdir(), "sandbox-node-"));
    afterAll(() => rmSync(home, { recursive: true, force: true }));
    const start = startSandbox({ node: { name: "a_b" }, env: { HOME: home } });
    await expect(start).rejects.toMatchObject({ code: "SANDBOX_NAME_INVALID" });
    expect(readdirSync(home)).toEqual([]);
  });
});

describe("the plan of a node", () => {
  const plan = nodePlan(input);
  const texts = nodeConfiguration(input);
  const kubelet = JSON.parse(texts[nodeFiles.kubelet] ?? "");

  test("has all components besides the control plane, which wait for the API server if they need it", () => {
    const controlPlane = controlPlanePlan({
      issuer: "https://issuer.example",
      apiAudiences: [],
      apiserverPort: 6443,
      controllerManagerPort: 10257,
      apiserverArgs: nodeApiserverArgs(),
    });
    expect([...controlPlane, ...plan].map(({ name }) => name)).toEqual(componentNames(true));
    const waiting = plan.filter(({ env }) =>
      env.some((entry) => entry === "K8SAUTH_SANDBOX_AWAIT=https://127.0.0.1:6443/readyz"),
    );
    expect(waiting.map(({ name }) => name)).toEqual(["kube-scheduler", "kube-proxy", "kubelet"]);
  });

  test("gives the API server one address that pods reach, and it checks the kubelet's certificate", () => {
    const args = nodeApiserverArgs();
    expect(args).toContain("--advertise-address=10.244.0.1");
    expect(args).toContain("--kubelet-certificate-authority=pki/serving-ca.crt");
    expect(args).toContain("--enable-admission-plugins=NodeRestriction");
    expect(args.join(" ")).not.toContain("endpoint-reconciler-type");
  });

  test("has a kubelet that authenticates clients, uses its own cgroup and needs no system manager", () => {
    expect(kubelet).toMatchObject({
      authentication: { anonymous: { enabled: false }, webhook: { enabled: true } },
      authorization: { mode: "Webhook" },
      cgroupDriver: "cgroupfs",
      cgroupRoot: "/sandbox-1",
      clusterDNS: ["10.244.0.1"],
    });
  });

  test("has all files in the machine's folders", () => {
    const paths = Object.values(texts).flatMap((text) => text.match(/"\/[^"]*"/g) ?? []);
    const outside = paths.filter((path) => !/^"\/(run\/(sandbox|containerd)|usr\/lib\/cni|sandbox-1)/.test(path));
    expect(outside).toEqual([]);
  });
});

test("a machine gets its ports, programs and command", () => {
  const args = machineArgs({
    cgroup: "sandbox-1",
    nodeName: "blue",
    ports: [1, 2],
    binaries: { k8s: "/cache/k8s" },
    command: ["k8s", "supervise"],
  });
  expect(args).toEqual([
    "run",
    "--cgroup=sandbox-1",
    "--hostname=blue",
    "--address=10.244.0.1",
    "--port=1",
    "--port=2",
    "--binary=k8s=/cache/k8s",
    "--",
    "k8s",
    "supervise",
  ]);
});

test("a process in no namespace of a machine is not mistaken for one in it", () => {
  const self = identify(process.pid);
  expect(outsideIdentity(self, self)).toBeUndefined();
  expect(outsideIdentity(self, { pid: 2 ** 30, started: "1" })).toBeUndefined();
});

test("the node's programs are separate: the control plane's binary does not depend on them", () => {
  expect(readSources(join(folder, "kubernetes")).filter(([name]) => name.includes("/"))).toEqual([]);
  const modules = ["kubernetes/go.mod", "dns/go.mod", "machine/go.mod"].map((path) =>
    readFileSync(join(folder, path), "utf8"),
  );
  const names = modules.map((text) => /^module (\S+)$/m.exec(text)?.[1]);
  expect(names).toEqual(["k8sauth/sandbox/kubernetes", "k8sauth/sandbox/dns", "k8sauth/sandbox/machine"]);
  expect(modules[0]).not.toContain("coredns");
});
