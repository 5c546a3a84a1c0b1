/** The npm package in projects of users: each is compiled, and a real `up` creates its objects in a real cluster. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as components from "../../components/index.ts";
import * as gateways from "../../gateways/index.ts";
import { reviewSelf } from "../support/reviewing.ts";
import { Consumer, type Kind, pluginPath } from "./consumer.ts";

const kinds: Readonly<Record<string, Kind>> = {
  // `pulumi new typescript`
  "Pulumi's template (nodenext)": {
    manifest: { main: "index.ts" },
    tsconfig: {
      compilerOptions: {
        strict: true,
        outDir: "bin",
        target: "es2020",
        module: "nodenext",
        moduleResolution: "nodenext",
        sourceMap: true,
        forceConsistentCasingInFileNames: true,
      },
    },
    typescript: "6.0.3",
    runtime: { name: "nodejs", options: { packagemanager: "npm" } },
  },
  "CommonJS with moduleResolution node": {
    manifest: { main: "index.ts", type: "commonjs" },
    tsconfig: {
      compilerOptions: {
        strict: true,
        target: "es2020",
        module: "commonjs",
        moduleResolution: "node",
        types: ["node"],
      },
    },
    typescript: "5.9.3",
    runtime: "nodejs",
  },
  "ES modules with type stripping": {
    manifest: { main: "index.ts", type: "module" },
    tsconfig: {
      compilerOptions: {
        strict: true,
        target: "es2024",
        module: "nodenext",
        types: ["node"],
        erasableSyntaxOnly: true,
        verbatimModuleSyntax: true,
      },
    },
    typescript: "6.0.3",
    runtime: { name: "nodejs", options: { typescript: false } },
  },
};

describe.each(Object.entries(kinds))("%s", (_name, kind) => {
  let consumer: Consumer;
  beforeAll(async () => {
    consumer = await Consumer.make(kind);
  });
  afterAll(() => consumer?.[Symbol.asyncDispose]());

  test("its program and the examples of the documentation compile, with the types of all dependencies checked", async () => {
    expect(await consumer.compile()).toEqual([]);
  });

  test("the package exports the components, the formatters and the policies, and nothing else", async () => {
    const exported = async (module: string) => new Set(await consumer.exported(module));
    expect(await exported("k8sauth")).toEqual(new Set(Object.keys(components)));
    expect(await exported("k8sauth/gateways")).toEqual(new Set(Object.keys(gateways)));
    expect(await exported("k8sauth/policy")).toEqual(new Set(["makePolicies", "policies"]));
    expect(await consumer.exported("k8sauth/types/components/index.js")).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });

  test("up creates a reviewer whose auth config reviews tokens", async () => {
    const { status, output } = await consumer.pulumi("up", "--yes", "--skip-preview", "--stack", "dev");
    expect(output).not.toMatch(/warning|error/i);
    expect(status).toBe(0);
    const { version, vault } = (await consumer.outputs()) as {
      version: string;
      vault: gateways.VaultKubernetesAuthConfig;
    };
    expect(version).toMatch(/^v1\.\d+/);
    const { kubernetes_host: host, kubernetes_ca_cert: caPem = "", token_reviewer_jwt: token } = vault;
    expect(await reviewSelf({ host, caPem, token })).toMatchObject({ authenticated: true });
    expect(await consumer.state()).not.toContain(token);
  });

  test("the next up changes nothing", async () => {
    const { status, output } = await consumer.pulumi("preview", "--expect-no-changes", "--stack", "dev");
    expect(output).not.toMatch(/warning|error/i);
    expect(status).toBe(0);
  });

  test("a verifier is planned with the program that the package contains", async () => {
    await consumer.pulumi("config", "set", "verifier", "true", "--stack", "dev");
    const { status, output } = await consumer.pulumi("preview", "--json", "--stack", "dev");
    expect(status).toBe(0);
    const { steps } = JSON.parse(output) as { steps: { urn: string; newState?: { inputs?: { data?: object } } }[] };
    const map = steps.find(({ urn }) => urn.includes("ConfigMap"))?.newState?.inputs?.data;
    expect(Object.keys(map ?? {})).toEqual(expect.arrayContaining(["verifier.mjs", "verifier.licenses.txt"]));
  });

  test("without the plugin's path, a preview says what to write in Pulumi.yaml", async () => {
    await consumer.configure({});
    const { status, output } = await consumer.pulumi("preview", "--stack", "dev");
    await consumer.configure(pluginPath);
    expect(status).toBeGreaterThan(0);
    expect(output).toContain(`${consumer.folder}/Pulumi.yaml does not name the plugin.`);
    const pulumis = /error: (no resource plugin|could not find)/;
    expect(output.search(pulumis), output).toBeGreaterThan(output.indexOf("path: node_modules/k8sauth/plugin"));
  });

  test("destroy deletes everything", async () => {
    const { status } = await consumer.pulumi("destroy", "--yes", "--skip-preview", "--stack", "dev");
    expect(status).toBe(0);
    expect(await consumer.outputs()).toEqual({});
  });
});
