import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const require = createRequire(import.meta.url);

interface Runtime {
  readonly version: string;
  readonly features: { readonly typescript: string | boolean };
  readonly execPath: string;
}
const { nodeProblem, required } = require("../../../runtime/node.cjs") as {
  readonly nodeProblem: (runtime?: Runtime) => string | undefined;
  readonly required: string;
};
const { noProxyForLoopback } = require("../../../runtime/loopback.cjs") as {
  readonly noProxyForLoopback: (env: NodeJS.ProcessEnv) => void;
};

const runtime = (version: string, typescript: string | false = "strip"): Runtime => ({
  version,
  features: { typescript },
  execPath: "/usr/bin/node",
});

describe("the version of Node.js", () => {
  test.each(["v24.5.0", "v24.21.0", "v25.0.0", "v26.1.0-nightly20260401"])("%s runs the sources", (version) => {
    expect(nodeProblem(runtime(version))).toBeUndefined();
  });

  test.each(["v8.17.0", "v20.20.2", "v22.18.0", "v24.4.1"])("%s is refused by name", (version) => {
    expect(nodeProblem(runtime(version))).toMatch(
      new RegExp(`^k8sauth needs Node\\.js >= 24\\.5, and /usr/bin/node is ${version}\\. .*npx --no k8sauth pulumi`),
    );
  });

  test("a Node.js without support for TypeScript is refused with the reason", () => {
    expect(nodeProblem(runtime("v24.21.0", false))).toContain("without support for TypeScript");
  });

  test("is the same in every package.json, message and document", () => {
    const engines = ["package.json", "policy/package.json"].map(
      (file) => (JSON.parse(readFileSync(join(root, file), "utf8")) as { engines: { node: string } }).engines.node,
    );
    expect(new Set(engines)).toEqual(new Set([required.replace(" ", "")]));
    const folders = ["cli", "docs", "examples", "policy", "provider", "runtime", "sandbox", "stack"];
    const files = folders.flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
        .map((entry) => join(entry.parentPath, entry.name)),
    );
    const versions = [join(root, "README.md"), ...files].flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/Node\.js \^?>= (\d[\d.]*\d)/g)].map(([, version]) => version),
    );
    expect(new Set(versions)).toEqual(new Set([required.replace(">= ", "")]));
  });
});

describe("gRPC on this machine", () => {
  const given = { https_proxy: "http://proxy.example:3128" };

  test.each<[string, NodeJS.ProcessEnv, string]>([
    ["without further variables", given, "127.0.0.1,localhost,::1"],
    ["with an empty no_proxy", { ...given, no_proxy: "" }, "127.0.0.1,localhost,::1"],
    ["beside the user's no_proxy", { ...given, no_proxy: ".corp" }, ".corp,127.0.0.1,localhost,::1"],
    ["beside the user's no_grpc_proxy", { ...given, no_proxy: "a", no_grpc_proxy: "b" }, "b,127.0.0.1,localhost,::1"],
  ])("is never proxied, %s", (_what, env, expected) => {
    const changed = { ...env };
    noProxyForLoopback(changed);
    expect(changed).toEqual({ ...env, no_grpc_proxy: expected });
  });
});
