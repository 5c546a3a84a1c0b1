import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import manifest from "../../package.json" with { type: "json" };
import { pluginVersions } from "../../sandbox/pulumi/programs.ts";
import { schema } from "../../stack/settings/schema.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const pages = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
  (path) => path.endsWith(".md") && !path.includes("node_modules"),
);

test("Pulumi.yaml declares no settings: Pulumi would write their defaults into the stacks' files", () => {
  expect(parse(read("Pulumi.yaml"))).not.toHaveProperty("config");
});

test("Git ignores the sandbox's settings file, and no other stack's", () => {
  const ignored = (file: string) => spawnSync("git", ["check-ignore", "-q", file], { cwd: root }).status;
  expect(ignored("Pulumi.sandbox.yaml")).toBe(0);
  expect(ignored("Pulumi.prod.yaml")).toBe(1);
});

/** Pages about this program. A folder with another Pulumi.yaml is about a program with other settings. */
const ownPages = pages.filter((page) => dirname(page) === "." || !existsSync(join(root, dirname(page), "Pulumi.yaml")));

test.each(ownPages)("commands of %s set settings that exist", (page) => {
  const options = /(?:--(?:secret|path|plaintext) |--stack \S+ )*/.source;
  const commands = read(page).matchAll(new RegExp(`pulumi config (?:set|rm) ${options}['"]?([A-Za-z]+)`, "g"));
  const names = [...commands].map(([, name = ""]) => name).filter((name) => name !== "NAME");
  expect(names.filter((name) => !Object.hasOwn(schema, name))).toEqual([]);
});

describe("README.md", () => {
  const readme = read("README.md");

  test("quotes claims that `npm start` and `check` prove", () => {
    const sources = readdirSync(join(root, "cli"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => read(join("cli", file)));
    const quoted = [...readme.matchAll(/^ {5}ok {4}(.+?) {2,}/gm)].map(([, claim = ""]) => claim);
    expect(quoted.length).toBeGreaterThan(3);
    expect(quoted.filter((claim) => !sources.some((source) => source.includes(`"${claim}"`)))).toEqual([]);
  });

  test("has no line of code that a page of GitHub cuts off", () => {
    const code = [...readme.matchAll(/^```\w*\n(.*?)^```$/gms)].flatMap(([, text = ""]) => text.split("\n"));
    expect(code.filter((line) => line.length > 100)).toEqual([]);
  });

  test("has the example of docs/library.md, which the package's test compiles", () => {
    const [example = ""] = /^```ts\n.*?^```/ms.exec(readme) ?? [];
    expect(example).not.toBe("");
    expect(read("docs/library.md")).toContain(example);
  });
});

test("docs/library.md names the versions with which the package is tested, and those of the plugins that are built", () => {
  const page = read("docs/library.md");
  const [, json = ""] = /^```json\n(\{\n {2}"name": .*?)^```$/ms.exec(page) ?? [];
  const { dependencies, devDependencies } = JSON.parse(json) as typeof manifest;
  const { k8sauth, ...sdks } = dependencies as Record<string, string>;
  expect(k8sauth).toBe(`file:k8sauth-${manifest.version}.tgz`);
  expect(manifest.dependencies).toMatchObject(sdks);
  expect(manifest.devDependencies).toMatchObject(devDependencies);
  const { kubernetes, tls } = pluginVersions;
  expect(page).toContain(` @pulumi/kubernetes@${kubernetes} @pulumi/tls@${tls}\n`);
});

describe("links", () => {
  test.each(pages)("of %s lead to files of this repository", (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link = ""]) => link);
    const missing = links.filter((link) => !existsSync(join(root, dirname(page), link)));
    expect(missing).toEqual([]);
  });

  test.each(pages)("of %s to sections lead to headings", (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)/g)];
    const missing = links.filter(([, file = "", anchor = ""]) => {
      const target = file === "" ? page : join(dirname(page), file);
      return target.endsWith(".md") && !anchorsOf(read(target)).includes(anchor);
    });
    expect(missing.map(([link]) => link)).toEqual([]);
  });
});

/** Anchors of a page's headings, as GitHub derives them. */
function anchorsOf(page: string): string[] {
  const text = page.replace(/^```[\s\S]*?^```/gm, "");
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
