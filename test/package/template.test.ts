/** This repository as the template of `pulumi new`. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";
import { program } from "../support/project.ts";
import { workerKubeconfig } from "../support/sandbox.ts";
import { emptyFolder, Project } from "./project.ts";

let template: string;
let project: Project;

/** The files of the repository that Git knows, as a clone has them. */
async function clone(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "k8sauth-template-"));
  const { stdout } = await promisify(execFile)("git", ["ls-files", "-z"], { cwd: program, maxBuffer: 10_000_000 });
  for (const path of stdout.split("\0").filter((name) => name !== "")) {
    await cp(join(program, path), join(folder, path), { recursive: true });
  }
  return folder;
}

/** The options of the README's command, with the project's folder. */
async function readmeNames(): Promise<string[]> {
  const readme = await readFile(join(program, "README.md"), "utf8");
  const [, options = ""] = /`pulumi new <this repository> ([^`]+)`/.exec(readme) ?? [];
  expect(options).toMatch(/ --dir k8sauth-prod$/);
  return options.replace("k8sauth-prod", project.folder).split(" ");
}

beforeAll(async () => {
  template = await clone();
  project = new Project(await emptyFolder(), "k8sauth", await ensurePulumi(), { KUBECONFIG: workerKubeconfig() });
});
afterAll(async () => {
  await project?.[Symbol.asyncDispose]();
  if (template) await rm(template, { recursive: true });
});

test("pulumi new creates a stack with the settings that it asks for, which previews", async () => {
  const { contexts } = parse(await readFile(workerKubeconfig(), "utf8")) as { contexts: { name: string }[] };
  const context = contexts[0]?.name ?? "";
  const answers = ["--config", `k8sauth:context=${context}`, "--config", "k8sauth:audience=vault"];
  const names = [...(await readmeNames()), "--description", "A test", "--stack", "dev"];
  const made = await project.pulumi("new", template, "--yes", "--force", ...names, ...answers);
  expect(made.status, made.output).toBe(0);
  const settings = parse(await readFile(join(project.folder, "Pulumi.dev.yaml"), "utf8")) as { config: object };
  expect(settings.config).toEqual({ "k8sauth:context": context, "k8sauth:audience": "vault" });
  await project.pulumi("config", "set", "allowLoopbackHost", "true", "--stack", "dev");
  const { status, output } = await project.pulumi("preview", "--stack", "dev");
  expect(status, output).toBe(0);
  expect(output).toContain("k8sauth:index:TokenReviewer");
});
