import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { sandboxCommand } from "../../../cli/sandbox.ts";
import { UsageError } from "../../../cli/usage.ts";
import { cacheRoot, stateRoot } from "../../../sandbox/build/paths.ts";
import { controlPlanePlan } from "../../../sandbox/cluster/plan.ts";
import { listSandboxes, openSandbox, sandboxStatus, startSandbox, stopSandbox } from "../../../sandbox/index.ts";

const home = mkdtempSync(join(tmpdir(), "sandbox-options-"));
const env = { HOME: home };
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe("folders", () => {
  test("follow the XDG variables, or HOME", () => {
    expect(cacheRoot({ HOME: "/h" })).toBe("/h/.cache/k8sauth/sandbox");
    expect(stateRoot({ HOME: "/h" })).toBe("/h/.local/state/k8sauth/sandbox");
    expect(cacheRoot({ HOME: "/h", XDG_CACHE_HOME: "/c" })).toBe("/c/k8sauth/sandbox");
    expect(stateRoot({ XDG_STATE_HOME: "/s" })).toBe("/s/k8sauth/sandbox");
    expect(stateRoot({ HOME: "/h", XDG_STATE_HOME: "relative" })).toBe("/h/.local/state/k8sauth/sandbox");
  });

  test("without HOME, the error names the variables to set", () => {
    expect(() => stateRoot({})).toThrow(expect.objectContaining({ code: "SANDBOX_NO_HOME" }));
    expect(() => cacheRoot({})).toThrow(/HOME nor XDG_CACHE_HOME/);
  });
});

describe("invalid options are refused before anything is created", () => {
  test.each(["", "Upper", "-a", "a-", "a/b", "..", "a".repeat(41)])("name %j", async (name) => {
    await expect(startSandbox({ name, env })).rejects.toMatchObject({ code: "SANDBOX_NAME_INVALID" });
    await expect(stopSandbox(name, env)).rejects.toMatchObject({ code: "SANDBOX_NAME_INVALID" });
    expect(readdirSync(home)).toEqual([]);
  });

  test.each([
    { issuer: "" },
    { issuer: "a,b" },
    { apiAudiences: ["a b"] },
    { apiAudiences: ["ok", ""] },
    { kubernetes: "1.33" },
  ])("%j", async (options) => {
    await expect(startSandbox({ ...options, env })).rejects.toMatchObject({ code: "SANDBOX_OPTION_INVALID" });
    expect(readdirSync(home)).toEqual([]);
  });
});

test("a sandbox that was never started is absent and cannot be stopped", async () => {
  expect(await sandboxStatus("none", env)).toMatchObject({ condition: "absent", pids: {} });
  expect(await stopSandbox("none", env)).toBe(false);
  expect(await listSandboxes(env)).toEqual([]);
  await expect(openSandbox("none", env)).rejects.toMatchObject({
    code: "SANDBOX_NOT_RUNNING",
    message: expect.stringContaining("k8sauth sandbox start --name none"),
  });
});

describe("the plan of a control plane", () => {
  const plan = controlPlanePlan({
    issuer: "https://issuer.example",
    apiAudiences: ["vault"],
    apiserverPort: 1,
    controllerManagerPort: 2,
  });
  const args = (name: string) => plan.find((process) => process.name === name)?.args ?? [];

  test("listens on the loopback interface, and etcd listens on no port", () => {
    expect(args("kube-apiserver")).toContain("--bind-address=127.0.0.1");
    expect(args("kube-controller-manager")).toContain("--bind-address=127.0.0.1");
    expect(args("etcd").filter((arg) => /:\/\//.test(arg) && !arg.includes("unix://"))).toEqual([]);
  });

  test("the issuer is the first audience of the API server, and further ones follow", () => {
    expect(args("kube-apiserver")).toContain("--service-account-issuer=https://issuer.example");
    expect(args("kube-apiserver")).toContain("--api-audiences=https://issuer.example,vault");
  });
});

describe("k8sauth sandbox", () => {
  const run = async (...args: string[]) => {
    const written = { out: "", err: "" };
    const keep = (where: "out" | "err") => (text: string) => {
      written[where] += text;
    };
    const io = {
      out: keep("out"),
      err: keep("err"),
      tty: false,
      env,
      signal: new AbortController().signal,
    };
    const code = await sandboxCommand.run(args, io);
    return { code, ...written };
  };

  test.each([
    [[]],
    [["bogus"]],
    [["start", "--foo"]],
    [["start", "--kubernetes", "1.33"]],
    [["stop", "extra"]],
    [["status", "--name"]],
    [["stop", "--name", "X"]],
  ])("%j is a usage error", async (args) => {
    await expect(run(...args)).rejects.toBeInstanceOf(UsageError);
  });

  test("status of none says so, also as JSON", async () => {
    expect(await run("status")).toMatchObject({ code: 3, out: "No sandbox runs.\n" });
    const { code, out } = await run("status", "--name", "none", "--json");
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({ name: "none", condition: "absent" });
  });

  test("kubeconfig and kubectl of none fail with what to do", async () => {
    for (const args of [["kubeconfig"], ["kubectl", "--", "get", "pods"]]) {
      await expect(run(...args)).rejects.toThrow("k8sauth sandbox start");
    }
  });

  test("stop of none is done", async () => {
    expect(await run("stop")).toMatchObject({ code: 0, err: expect.stringContaining("nothing to stop") });
  });
});
