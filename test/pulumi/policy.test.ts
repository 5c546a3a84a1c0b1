import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { PolicyPackOptions } from "../../engine/index.ts";
import { program } from "../support/stack.ts";
import { type BothEngines, everything, tokenFlow, useCluster } from "./fixture.ts";
import { Link } from "./link.ts";
import { counted } from "./objects.ts";

const cluster = useCluster();
const latePack = { folder: join(program, "test", "support", "latePack") };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "k8sauth-policy-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The pack of this repository; the sandbox's address is a loopback one. */
async function packWith(config: object = {}): Promise<PolicyPackOptions> {
  const configFile = join(await mkdtemp(join(folder, "config-")), "policy.json");
  await writeFile(configFile, JSON.stringify({ "gateway-host": { allowLoopback: true }, ...config }));
  return { folder: join(program, "policy"), configFile };
}

interface Verdicts {
  /** `LEVEL SEVERITY POLICY URN`, sorted. */
  readonly found: string[];
  readonly passed: boolean;
}

interface PolicyEvent {
  readonly resourceUrn: string;
  readonly policyName: string;
  readonly enforcementLevel: string;
  readonly severity?: string;
}

/** What the CLI's policies say of a preview or of an `up` that makes no preview first. */
async function realVerdicts(
  { stack, cli }: BothEngines,
  command: "preview" | "up",
  pack: PolicyPackOptions,
): Promise<Verdicts> {
  // Without it a preview's JSON has no policies.
  stack.env.PULUMI_ENABLE_STREAMING_JSON_PREVIEW = "true";
  const packs = ["--policy-pack", pack.folder, ...(pack.configFile ? ["--policy-pack-config", pack.configFile] : [])];
  const how = command === "up" ? ["--yes", "--skip-preview"] : [];
  const args = [command, ...cli.options, ...how, ...packs, "--json"];
  const { status, stdout, stderr } = await cli.run(args, { status: undefined });
  const events = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .flatMap((line) => (JSON.parse(line) as { policyEvent?: PolicyEvent }).policyEvent ?? []);
  if (status !== 0 && events.length === 0)
    throw new Error(`pulumi ${command}: exit status ${status}\n${stdout}\n${stderr}`);
  const found = events.map((event) =>
    verdict(event.enforcementLevel, event.severity, event.policyName, event.resourceUrn),
  );
  return { found: found.sort(), passed: status === 0 };
}

async function embeddedVerdicts(
  { stack }: BothEngines,
  command: "preview" | "up",
  pack: PolicyPackOptions,
): Promise<Verdicts> {
  stack.policyPacks = [pack];
  const passed = await stack[command]().then(
    () => true,
    (error: { code?: string }) => {
      expect(error.code).toBe("POLICY_VIOLATED");
      return false;
    },
  );
  const found = stack.violations.map(({ level, severity, policy, urn }) => verdict(level, severity, policy, urn));
  return { found: found.sort(), passed };
}

function verdict(level: string, severity: string | undefined, policy: string, urn: string): string {
  return [level, severity || "-", policy, urn].join(" ");
}

test("a stack that keeps to the policies: the same verdicts before and after it is made", async () => {
  await using both = await cluster.make("kept", { certificateFlow: true });
  await both.cli.init();
  const pack = await packWith();
  const first = await embeddedVerdicts(both, "preview", pack);
  expect(first).toEqual(await realVerdicts(both, "preview", pack));
  expect(first.passed).toBe(true);
  await both.stack.up();
  const second = await embeddedVerdicts(both, "preview", pack);
  expect(second).toEqual(await realVerdicts(both, "preview", pack));
  expect(second.found.map((text) => text.split(" ")[2])).toEqual(["token-secret-discouraged", "workload-audience"]);
});

test("a stack with everything switched on: the same verdicts before and after it is made", async () => {
  await using both = await cluster.make("everything", everything);
  await both.cli.init();
  const pack = await packWith();
  const first = await embeddedVerdicts(both, "preview", pack);
  expect(first).toEqual(await realVerdicts(both, "preview", pack));
  await both.cli.up();
  const second = await embeddedVerdicts(both, "preview", pack);
  expect(second).toEqual(await realVerdicts(both, "preview", pack));
  expect(second.found.length).toBeGreaterThan(0);
});

test("a stack that breaks several: both engines name the same, and make nothing", async () => {
  const year = 365 * 24 * 3600;
  await using both = await cluster.make("broken", {
    namespace: "default",
    createNamespace: false,
    certificateFlow: true,
    certificateExpirationSeconds: year,
  });
  await both.cli.init();
  const pack = await packWith({ "key-strength": { minRsaBits: 3072 }, "workload-audience": "mandatory" });
  const embedded = await embeddedVerdicts(both, "preview", pack);
  expect(embedded).toEqual(await realVerdicts(both, "preview", pack));
  expect(embedded.passed).toBe(false);
  const mandatory = embedded.found.filter((text) => text.startsWith("mandatory")).map((text) => text.split(" ")[2]);
  expect([...new Set(mandatory)].sort()).toEqual([
    "certificate-lifetime",
    "key-strength",
    "no-default-namespace",
    "workload-audience",
  ]);
  expect((await embeddedVerdicts(both, "up", pack)).passed).toBe(false);
  expect(await cluster.objects()).toEqual([]);
});

test("a cluster out of reach: what can't be known is said to be so by both", async () => {
  const { link, kubeconfig } = await Link.open(inject("kubeconfig"), folder);
  await using both = await cluster.make("unknown", { kubeconfig });
  try {
    await both.cli.init();
    await link.cut("refused");
    const pack = await packWith();
    const embedded = await embeddedVerdicts(both, "preview", pack);
    expect(embedded).toEqual(await realVerdicts(both, "preview", pack));
    expect(embedded.passed).toBe(true);
    expect(embedded.found.join("\n")).toMatch(/^advisory high reviewer-binding /m);
  } finally {
    await link.mend();
    await link[Symbol.asyncDispose]();
  }
});

test("what shows only in the middle: both engines stop an up there, and the other one goes on with the state", async () => {
  await using both = await cluster.make("late");
  await both.cli.init();
  const real = await realVerdicts(both, "up", latePack);
  expect(real).toMatchObject({
    passed: false,
    found: [expect.stringMatching(/^mandatory - no-token-by-uid .*ReviewerToken/)],
  });
  const made = await cluster.objects();
  expect(counted(made)).toEqual(tokenFlow);
  expect(await embeddedVerdicts(both, "up", latePack)).toEqual(real);
  expect(await cluster.objects()).toEqual(made);
  both.stack.policyPacks = [];
  await both.stack.up();
  expect(both.stack.steps).toContain("create ReviewerToken");
  expect(await cluster.objects()).toEqual(made);
});
