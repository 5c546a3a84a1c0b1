import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadProject } from "../../../engine/project.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "k8sauth-project-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const load = async (text: string) => {
  await writeFile(join(folder, "Pulumi.yaml"), text);
  return loadProject(folder);
};

test("is read with its program, settings and plugins", async () => {
  const project = await load(`
name: shop
runtime: {name: nodejs, options: {typescript: false}}
main: index.ts
plugins: {providers: [{name: mine, path: ./provider}]}
config:
  size: {type: integer, default: 3, description: How many.}
  short: text
  kubernetes:context: {value: prod}
`);
  expect(project).toMatchObject({ name: "shop", root: folder, main: "index.ts", typescript: false });
  expect(project.plugins).toEqual([{ name: "mine", executable: join(folder, "provider", "pulumi-resource-mine") }]);
  expect(Object.fromEntries(project.config)).toEqual({
    "shop:size": { type: "integer", default: 3, description: "How many.", secret: false },
    "shop:short": { type: "string", default: "text", secret: false },
    "kubernetes:context": { type: "string", default: "prod", secret: false },
  });
});

test("is found from a folder below", async () => {
  await load("name: shop\nruntime: nodejs\n");
  await mkdir(join(folder, "a", "b"), { recursive: true });
  expect((await loadProject(join(folder, "a", "b"))).root).toBe(folder);
});

describe("is refused, with the file and the reason,", () => {
  test.each([
    ["when it is not YAML", "{", /is not YAML/],
    ["without a name", "runtime: nodejs\n", /no "name"/],
    ["with another runtime", "name: shop\nruntime: python\n", /"python"/],
    [
      "with a setting of a type that there is not",
      "name: shop\nruntime: nodejs\nconfig: {a: {type: number}}\n",
      /"number"/,
    ],
    [
      "with a plugin without a path",
      "name: shop\nruntime: nodejs\nplugins: {providers: [{name: a}]}\n",
      /plugins.providers/,
    ],
  ])("%s", async (_what, text, reason) => {
    const refused = expect(load(text)).rejects;
    await refused.toMatchObject({ code: "PROJECT_INVALID", message: expect.stringMatching(reason) });
    await expect(load(text)).rejects.toThrow(join(folder, "Pulumi.yaml"));
  });

  test("where there is none", async () => {
    await expect(loadProject(folder)).rejects.toMatchObject({ code: "PROJECT_INVALID" });
  });
});
