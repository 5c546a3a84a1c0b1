import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { documentedComponents } from "../../docs/reference/components.ts";
import { documentedMetrics } from "../../docs/reference/metrics.ts";
import { authConfigFields, documentedOutputs, fieldsOfOutput } from "../../docs/reference/outputs.ts";
import { program } from "../support/project.ts";

const components = documentedComponents();

describe.each(components.map((component) => [component.name, component] as const))("%s", (_name, component) => {
  test("has a meaning, an example, and a meaning for everything that it takes and gives", () => {
    expect(component.description).not.toBe("");
    expect(component.example).toBeDefined();
    for (const { name, description } of [...component.args, ...component.outputs])
      expect(description, name).toMatch(/\.$/);
  });

  test("says what an optional argument is by default", () => {
    const silent = component.args.filter(({ required, default: standard }) => !required && !standard);
    expect(silent.map(({ name }) => name)).toEqual([]);
  });
});

describe("outputs of the stack", () => {
  const secret = ["authConfigs", "kubeconfigs", "clusterAccess"];

  test("have a meaning, and those that hold credentials are secret", () => {
    const outputs = documentedOutputs();
    expect(outputs.filter(({ meaning }) => !meaning.endsWith("."))).toEqual([]);
    expect(outputs.filter((output) => output.secret).map(({ name }) => name)).toEqual(secret);
  });

  test.each([
    ["cluster"],
    ["clusterAccess"],
    ["credentials", "token"],
    ["credentials", "certificate"],
    ["credentials", "rancher"],
  ])("%s %s: every field has a meaning", (output: string, name?: string) => {
    const fields = fieldsOfOutput(output, name);
    expect(fields.length).toBeGreaterThan(3);
    expect(fields.filter(({ meaning }) => !/^[A-Z`].*\.$/.test(meaning) && !meaning.startsWith("https "))).toEqual([]);
  });
});

test("every field of an auth config has a meaning", () => {
  const fields = authConfigFields().flatMap(({ name, fields }) => fields.map((field) => ({ of: name, ...field })));
  expect(fields.length).toBeGreaterThan(40);
  expect(fields.filter(({ meaning }) => !/^([A-Z`]|https ).*\.$/.test(meaning))).toEqual([]);
});

test("README.md shows the fields of Vault's auth config", () => {
  const [, json = ""] = /^```json\n(.*?)^```/ms.exec(readFileSync(join(program, "README.md"), "utf8")) ?? [];
  const { fields } = authConfigFields().find(({ name }) => name === "VaultKubernetesAuthConfig") ?? { fields: [] };
  expect(Object.keys(JSON.parse(json) as object)).toEqual(fields.map(({ name }) => name));
});

test("every metric has a type, a meaning, and the labels of its samples", () => {
  const metrics = documentedMetrics();
  expect(metrics.filter(({ type, help }) => !/^(counter|gauge|histogram)$/.test(type) || help === "")).toEqual([]);
  const labelsOf = (name: string) => metrics.find((metric) => metric.name === `k8sauth_verifier_${name}`)?.labels;
  expect(labelsOf("decisions_total")).toEqual(["status", "reason", "issuer"]);
  expect(labelsOf("review_duration_seconds")).toEqual(["outcome"]);
  expect(labelsOf("ready")).toEqual([]);
});

/** Declarations that precede each example. */
const preamble = `
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import * as package_ from "./index.ts";
import { type AkeylessCredentials, akeylessTokenAuthConfig, type TokenAccess } from "../gateways/index.ts";
`;
const declared: Readonly<Record<string, string>> = {
  deployer: "package_.Provider",
  cluster: "package_.Cluster",
  kubernetes: "k8s.Provider",
  reviewer: "package_.TokenReviewer",
  client: "package_.ClientCertificate",
  method: "package_.AkeylessAuthMethod",
  access: "pulumi.Output<TokenAccess>",
  credentials: "pulumi.Output<AkeylessCredentials>",
  account: "k8s.core.v1.ServiceAccount",
  secret: "k8s.core.v1.Secret",
  key: "tls.PrivateKey",
  request: "tls.CertRequest",
};

/** An example as a module of its own beside components/index.ts. */
function moduleOf(example: string): string {
  const own = [...example.matchAll(/^(?:export )?const (\w+)/gm)].map(([, name]) => name);
  const given = Object.entries(declared)
    .filter(([name]) => !own.includes(name))
    .map(([name, type]) => `declare const ${name}: ${type};`);
  const classes = `const { ${components.map(({ name }) => name).join(", ")} } = package_;`;
  return [preamble, ...given, classes, example].join("\n");
}

test("examples compile as they stand", { timeout: 60_000 }, () => {
  const { config } = ts.readConfigFile(join(program, "tsconfig.json"), ts.sys.readFile) as { config: object };
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, program);
  const texts = new Map(
    components.map(({ name, example = "" }) => [join(program, "components", `${name}.example.ts`), moduleOf(example)]),
  );
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (file) => texts.has(file) || fileExists.call(host, file);
  host.readFile = (file) => texts.get(file) ?? readFile.call(host, file);
  host.getSourceFile = (file, ...rest) => {
    const text = texts.get(file);
    return text === undefined
      ? getSourceFile.call(host, file, ...rest)
      : ts.createSourceFile(file, text, ts.ScriptTarget.ES2024, true);
  };
  const lenient = { ...options, noUnusedLocals: false, noUnusedParameters: false };
  const compiled = ts.createProgram([...texts.keys()], lenient, host);
  const problems = [...texts.keys()].flatMap((file) => {
    const source = compiled.getSourceFile(file);
    return [...compiled.getSyntacticDiagnostics(source), ...compiled.getSemanticDiagnostics(source)].map(
      ({ messageText }) => `${file}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
    );
  });
  expect(problems).toEqual([]);
});
