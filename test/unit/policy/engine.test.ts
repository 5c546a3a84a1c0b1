import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PolicyInfo, policySettings } from "../../../engine/policyConfig.ts";
import type { StackSubject } from "../../../engine/policyMessages.ts";
import { type PolicyContext, PolicyPack } from "../../../engine/policyPack.ts";
import { secret, unknown } from "../../../engine/values.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const runner = join(root, "node_modules", "@pulumi", "pulumi", "cmd", "run-policy-pack", "index.js");
const policy = join(root, "policy");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "k8sauth-policy-"));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"), "junction");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const context: PolicyContext = {
  project: "k8sauth",
  stack: "dev",
  preview: true,
  config: { values: {}, secretKeys: [] },
  engineAddress: "127.0.0.1:1",
  env: process.env,
  say: () => {},
};

function subject(type: string, properties: StackSubject["properties"], name = "thing"): StackSubject {
  return {
    urn: `urn:pulumi:dev::k8sauth::${type}::${name}`,
    type,
    properties,
    parent: undefined,
    protect: false,
    ignoreChanges: [],
    deleteBeforeReplace: undefined,
    additionalSecretOutputs: [],
    aliases: [],
    provider: undefined,
    dependencies: [],
    propertyDependencies: {},
  };
}

const bindingType = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding";
const rootUrn = "urn:pulumi:dev::k8sauth::pulumi:pulumi:Stack::k8sauth-dev";

describe("the pack, asked by the engine", () => {
  let pack: PolicyPack;

  beforeAll(async () => {
    pack = await PolicyPack.start({ folder: policy }, context);
  });

  afterAll(() => pack.close());

  test("names pack, policy, level, severity and resource", async () => {
    const asked = subject(bindingType, { roleRef: { name: secret("cluster-admin") }, subjects: [] });
    expect(await pack.analyze(asked)).toEqual([
      {
        pack: "k8sauth",
        version: "0.1.0",
        policy: "no-cluster-admin",
        level: "mandatory",
        severity: "critical",
        urn: asked.urn,
        message: expect.stringMatching(
          /^Nothing is bound to cluster-admin\..*\nIt binds the role cluster-admin\. Bind /s,
        ),
      },
    ]);
  });

  test("turns what is not known into advice", async () => {
    const found = await pack.analyze(subject(bindingType, { roleRef: { name: unknown }, subjects: [] }));
    expect(found).toEqual([
      expect.objectContaining({
        policy: "no-cluster-admin",
        level: "advisory",
        message: expect.stringContaining("can't run"),
      }),
    ]);
  });

  test("hides the engine's own properties, and takes references and unknown secrets", async () => {
    const asked = subject("kubernetes:core/v1:ConfigMap", {
      __inputs: { data: unknown },
      metadata: { namespace: "shop" },
      data: {
        a: secret(unknown),
        b: { "4dabf18193072939515e22adb298388d": "5cf8f73096256a8f31e491e813e4eb8e", urn: "u", id: "i" },
      },
    });
    expect((await pack.analyze(asked)).map((found) => found.policy)).toEqual(["no-credential-in-the-open"]);
  });

  test("judges a stack as a whole, and names the resource that is meant", async () => {
    const token = subject("k8sauth:index:ReviewerToken", {
      notBefore: "2020-01-01T00:00:00Z",
      notAfter: "2020-02-01T00:00:00Z",
    });
    expect(await pack.analyzeStack([token], rootUrn)).toEqual([
      expect.objectContaining({ policy: "credential-near-expiry", level: "advisory", urn: token.urn }),
    ]);
    const unmade = subject("k8sauth:index:ReviewerToken", {});
    expect((await pack.analyzeStack([unmade], rootUrn)).map(({ urn }) => urn)).toEqual([rootUrn]);
  });
});

async function made(name: string, files: Record<string, string>): Promise<string> {
  const at = join(folder, name);
  await mkdir(at, { recursive: true });
  const manifest = {
    "PulumiPolicy.yaml": "runtime: nodejs\n",
    "package.json": '{"name":"x","version":"1.0.0","main":"index.js"}',
  };
  for (const [file, text] of Object.entries({ ...manifest, ...files })) await writeFile(join(at, file), text);
  return at;
}

const packOf = (policies: string) =>
  `const p = require("@pulumi/policy"); new p.PolicyPack("x", { policies: ${policies} });`;

describe("packs that can't be used", () => {
  test.each([
    ["no manifest", async () => tmpdir(), "POLICY_PACK_INVALID", /PulumiPolicy\.yaml/],
    [
      "another runtime",
      () => made("python", { "PulumiPolicy.yaml": "runtime: python" }),
      "POLICY_PACK_INVALID",
      /"python".*nodejs/,
    ],
    [
      "an error at its start",
      () => made("broken", { "index.js": 'throw new Error("not today");' }),
      "PLUGIN_FAILED",
      /not today/,
    ],
    [
      "remediations",
      () =>
        made("remediating", {
          "index.js": packOf('[{name: "r", description: "d", enforcementLevel: "remediate", remediateResource() {}}]'),
        }),
      "UNSUPPORTED",
      /remediations \(the policy r\)/,
    ],
  ] as const)("%s: refused with the reason", async (_what, make, code, message) => {
    const refused = PolicyPack.start({ folder: await make() }, context);
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("a policy that breaks down is an error that names it, and no pass", async () => {
    const source = packOf('[{name: "b", description: "d", validateResource() { null.x; }}]');
    const pack = await PolicyPack.start({ folder: await made("breaking", { "index.js": source }) }, context);
    await expect(pack.analyze(subject("a:b:c", {}))).rejects.toMatchObject({
      code: "POLICY_PACK_FAILED",
      message: expect.stringMatching(/policy 'b'/),
    });
    await pack.close();
  });
});

describe("packs that break", () => {
  const asking = (source: string, answerMs?: number) =>
    made(`breaking-${source.length}`, {
      "index.js": packOf(`[{name: "b", description: "d", validateResource() { ${source} }}]`),
    }).then((at) => PolicyPack.start({ folder: at, answerMs }, context));

  test("one that ends in the middle is an error, and no pass", async () => {
    const pack = await asking("process.exit(3);");
    await expect(pack.analyze(subject("a:b:c", {}))).rejects.toMatchObject({
      code: "POLICY_PACK_FAILED",
      message: expect.stringMatching(/breaking-\d+ ended while it was asked \(analyze\)/),
    });
    await pack.close();
  });

  test("one that does not answer is an error after its time, and is ended by force", async () => {
    const pack = await asking("for (;;);", 500);
    await expect(pack.analyze(subject("a:b:c", {}))).rejects.toMatchObject({
      code: "POLICY_PACK_FAILED",
      message: expect.stringMatching(/did not answer within 0\.5 s \(analyze\)/),
    });
    await pack.close();
  });

  test("one that never starts ends with its run", async () => {
    const ended = new AbortController();
    const folderOfIt = await made("silent", { "index.js": "setInterval(() => {}, 1e6);" });
    const starting = PolicyPack.start({ folder: folderOfIt }, { ...context, signal: ended.signal });
    const refused = expect(starting).rejects.toMatchObject({ code: "PLUGIN_FAILED" });
    const started = performance.now();
    ended.abort();
    await refused;
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test("one that fails at its start keeps nobody's process alive", async () => {
    const folderOfIt = await made("failing", { "index.js": "process.exit(1);" });
    const script = `
      const { PolicyPack } = await import(${JSON.stringify(join(root, "engine", "policyPack.ts"))});
      const context = { ...${JSON.stringify({ ...context, env: {} })}, env: process.env, say() {} };
      await PolicyPack.start({ folder: ${JSON.stringify(folderOfIt)} }, context).catch(({ code }) => console.log(code));
      const failed = performance.now();
      process.on("exit", () => console.log(performance.now() - failed));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    await once(child, "close");
    const [code, wait] = output.trim().split("\n");
    expect(code).toBe("PLUGIN_FAILED");
    // The deadline for its start is at 20 s.
    expect(Number(wait)).toBeLessThan(10_000);
  }, 40_000);

  test("one without its packages is told of with what to do", async () => {
    const bare = await mkdtemp(join(tmpdir(), "k8sauth-bare-"));
    await writeFile(join(bare, "PulumiPolicy.yaml"), "runtime: nodejs\n");
    await expect(PolicyPack.start({ folder: bare }, context)).rejects.toMatchObject({
      code: "POLICY_PACK_INVALID",
      message: expect.stringMatching(/no @pulumi\/pulumi installed. Run `npm install` there/),
    });
    await rm(bare, { recursive: true });
  });
});

test("the pack ends when whoever started it is killed", async () => {
  const script = `const child = require("node:child_process").spawn(process.execPath, ${JSON.stringify([runner, "127.0.0.1:1", policy])}, { cwd: ${JSON.stringify(policy)}, detached: true });
    child.stdout.once("data", () => console.log(child.pid)); setInterval(() => {}, 1e6);`;
  const starter = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface({ input: starter.stdout }), "line")) as [string];
  const isAlive = () => {
    try {
      return process.kill(Number(line), 0);
    } catch {
      return false;
    }
  };
  expect(isAlive()).toBe(true);
  starter.kill("SIGKILL");
  await expect.poll(isAlive, { timeout: 10_000, interval: 50 }).toBe(false);
});

describe("settings of policies", () => {
  const info: PolicyInfo = {
    name: "p",
    level: "mandatory",
    properties: {
      days: { type: "integer", default: 30, minimum: 1, maximum: 90 },
      names: { type: "array", items: { type: "string", minLength: 1 }, default: ["a"] },
      mode: { type: "string", enum: ["x", "y"] },
    },
    required: [],
  };

  async function settings(config: unknown, initial: Parameters<typeof policySettings>[1] = new Map()) {
    const file = join(folder, "settings.json");
    await writeFile(file, typeof config === "string" ? config : JSON.stringify(config));
    return (await policySettings([info, { ...info, name: "q", level: "advisory" }], initial, file)).get("p");
  }

  const defaults = { days: 30, names: ["a"] };

  test("are the defaults where the file says nothing", async () => {
    expect(await settings("")).toEqual({ level: "mandatory", properties: defaults });
    expect((await policySettings([info], new Map(), undefined)).get("p")).toEqual({
      level: "mandatory",
      properties: defaults,
    });
  });

  test("come from the pack's start and then from the file, the level from all or from the policy", async () => {
    const initial = new Map([["p", { level: "disabled" as const, properties: { days: 1, mode: "x" } }]]);
    expect(await settings({ p: { days: 2 } }, initial)).toEqual({
      level: "disabled",
      properties: { ...defaults, days: 2, mode: "x" },
    });
    expect(await settings({ all: "advisory" }, initial)).toMatchObject({ level: "advisory" });
    expect(await settings({ all: "advisory", p: "mandatory" })).toMatchObject({ level: "mandatory" });
    expect(await settings({ p: { enforcementLevel: "disabled", names: [] } })).toEqual({
      level: "disabled",
      properties: { days: 30, names: [] },
    });
  });

  test.each([
    ["{", /could not be read/],
    ["[]", /no JSON object/],
    [{ r: "advisory" }, /names r, .*It has: p, q/],
    [{ p: "strict" }, /level "strict" for p/],
    [{ p: 1 }, /neither a level nor an object for p/],
    [{ all: { days: 1 } }, /only a level can be for all/],
    [{ p: { days: 0 } }, /days must be at least 1/],
    [{ p: { days: 91 } }, /days must be at most 90/],
    [{ p: { days: 1.5 } }, /days must be of type integer/],
    [{ p: { names: ["a", ""] } }, /names\[1\] must be as long as at least 1/],
    [{ p: { names: "a" } }, /names must be of type array/],
    [{ p: { mode: "z" } }, /mode must be one of x, y/],
  ])("%j is refused with the place", async (config, message) => {
    const reason = expect.stringMatching(message);
    await expect(settings(config)).rejects.toMatchObject({ code: "POLICY_PACK_INVALID", message: reason });
  });
});
