import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { moduleVersion } from "../../../sandbox/build/goMod.ts";
import {
  defaultKubernetes,
  ensureBinary,
  kubernetesVersions,
  selectedKubernetes,
} from "../../../sandbox/build/kubernetes.ts";
import { goModFor } from "../../../sandbox/kubernetes/pin.ts";

const source = fileURLToPath(new URL("../../../sandbox/kubernetes/", import.meta.url));
const versions = kubernetesVersions();

test("the versions are listed from the oldest to the newest, one for each minor", () => {
  expect(versions.map(({ version }) => version)).toEqual(["v1.34.4", "v1.35.4", "v1.36.3", "v1.37.2"]);
  expect(versions.map(({ minor }) => minor)).toEqual(["1.34", "1.35", "1.36", "1.37"]);
  expect(defaultKubernetes()).toMatchObject({ version: "v1.36.3", goMod: undefined });
});

describe.each(versions)("$version", ({ version, minor, goMod = "go.mod" }) => {
  const modText = readFileSync(source + goMod, "utf8");
  const sumText = readFileSync(source + goMod.replace(/\.mod$/, ".sum"), "utf8");

  test("builds each staging module of Kubernetes as released with it", () => {
    const replaced = [...modText.matchAll(/^\t(\S+) => (\S+) (v\S+)$/gm)];
    expect(replaced.length).toBeGreaterThan(25);
    for (const [, from, to, release] of replaced) {
      expect([from, to, release]).toEqual([from, from, version.replace("v1.", "v0.")]);
    }
  });

  test("has a go.sum with every module that its go.mod requires", () => {
    const required = [...modText.matchAll(/^\t(\S+) (v\S+)(?: \/\/ indirect)?$/gm)].map(([, path, at]) => {
      const release = modText.includes(`\t${path} => `) ? version.replace("v1.", "v0.") : at;
      return `${path} ${release} h1:`;
    });
    expect(required.length).toBeGreaterThan(100);
    const sums = new Set(sumText.split("\n").map((line) => line.replace(/h1:.*/, "h1:")));
    expect(required.filter((entry) => !sums.has(entry))).toEqual([]);
  });

  test("is listed in docs/versions.md with its etcd", () => {
    const page = readFileSync(new URL("../../../docs/versions.md", import.meta.url), "utf8");
    const etcd = moduleVersion(modText, "go.etcd.io/etcd/server/v3").slice(1);
    const isDefault = goMod === "go.mod" ? " (default)" : "";
    expect(page).toContain(`| ${version.slice(1)}${isDefault} | ${etcd} |`);
  });

  test("is chosen by option or environment, with or without patch number and v", () => {
    for (const asked of [minor, version, version.slice(1)]) {
      expect(selectedKubernetes({ kubernetes: asked, env: { K8SAUTH_KUBERNETES: "1.0" } })?.version).toBe(version);
      expect(selectedKubernetes({ env: { K8SAUTH_KUBERNETES: asked } })?.version).toBe(version);
    }
  });
});

test("is undefined if none is set", () => {
  expect(selectedKubernetes({ env: {} })).toBeUndefined();
  expect(selectedKubernetes({ env: { K8SAUTH_KUBERNETES: "" } })).toBeUndefined();
});

test.each(["1.33", "1.34.0", "v1.36.4", "1", "1.3", "latest", "", "../go"])(
  "%j is refused with the list",
  async (asked) => {
    await expect(ensureBinary({ kubernetes: asked, env: { HOME: "/nonexistent", PATH: "" } })).rejects.toMatchObject({
      code: "SANDBOX_OPTION_INVALID",
      message: expect.stringContaining(
        "expected one of 1.34 (v1.34.4), 1.35 (v1.35.4), 1.36 (v1.36.3), 1.37 (v1.37.2)",
      ),
    });
  },
);

describe("the go.mod of a release", () => {
  const kubernetes = {
    Go: "1.24.0",
    Require: [
      { Path: "go.etcd.io/etcd/server/v3", Version: "v3.6.4" },
      { Path: "github.com/spf13/cobra", Version: "v1.9.1" },
      { Path: "k8s.io/api", Version: "v0.0.0" },
      { Path: "k8s.io/utils", Version: "v0.0.0-20250604170112-4c0f3b243397" },
    ],
    Replace: null,
  };

  test("takes etcd and the staging modules from that of Kubernetes", () => {
    const text = goModFor("1.34.4", kubernetes);
    expect(text).toContain("\tgo.etcd.io/etcd/server/v3 v3.6.4\n");
    expect(text).toContain("\tk8s.io/kubernetes v1.34.4\n");
    expect(text).toMatch(/replace \(\n\tk8s\.io\/api => k8s\.io\/api v0\.34\.4\n\)\n$/);
  });

  test("keeps the run-time defaults of an older Go", () => {
    expect(goModFor("1.34.4", kubernetes)).toContain("\ngodebug default=go1.24\n");
    expect(goModFor("1.36.3", { ...kubernetes, Go: "1.26.0" })).not.toContain("godebug");
  });
});
