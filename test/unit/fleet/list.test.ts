import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type Cluster, readList } from "../../../examples/fleet/list.ts";
import { writeSettings } from "../../../examples/fleet/settings.ts";
import { program } from "../../support/stack.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "k8sauth-list-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function listed(yaml: string) {
  const file = join(folder, "fleet.yaml");
  await writeFile(file, yaml);
  return readList(file);
}

describe("a list of clusters", () => {
  test("gives each cluster a stack, the defaults under its own settings, and paths from the list's folder", async () => {
    const list = await listed(`
      stackPrefix: fleet-
      timeoutSeconds: 60
      parallel: 3
      defaults: { certificateFlow: true, audience: gateway }
      clusters:
        - { name: eu, context: eu-admin, kubeconfig: eu.kubeconfig }
        - { name: us, kubeconfig: ~/.kube/us, timeoutSeconds: 5, settings: { audience: other } }`);
    const us = { certificateFlow: true, audience: "other", kubeconfig: join(homedir(), ".kube", "us") };
    const eu = {
      certificateFlow: true,
      audience: "gateway",
      context: "eu-admin",
      kubeconfig: join(folder, "eu.kubeconfig"),
    };
    expect(list).toEqual({
      program: program,
      settingsFolder: program,
      parallel: 3,
      clusters: [
        { name: "eu", stack: "fleet-eu", timeoutSeconds: 60, settings: eu },
        { name: "us", stack: "fleet-us", timeoutSeconds: 5, settings: us },
      ],
    });
  });

  test("may be JSON", async () => {
    expect((await listed(JSON.stringify({ clusters: [{ name: "eu" }] }))).clusters).toMatchObject([{ stack: "eu" }]);
  });

  test("the example of this repository is one", async () => {
    const { clusters } = await readList(join(program, "examples", "fleet", "fleet.yaml"));
    expect(clusters.map(({ stack }) => stack)).toEqual(["fleet-eu-1", "fleet-eu-2", "fleet-eks-us"]);
    expect(clusters[2]?.settings).toMatchObject({
      certificateFlow: false,
      kubeconfig: join(homedir(), ".kube", "eks-us"),
    });
  });

  test.each([
    ["no file", undefined, /can't be read/],
    ["no YAML", "clusters: [", /is not YAML/],
    ["no clusters", "clusters: []", /clusters: names none/],
    [
      "a field that nobody knows",
      "clusters: [{ name: eu }]\ncluster: x",
      /the list: there is no cluster; it is .*clusters/,
    ],
    ["a cluster's stray field", "clusters: [{ name: eu, audience: x }]", /cluster eu: there is no audience/],
    ["no name", "clusters: [{ context: eu }]", /clusters\[0\]: it needs a name/],
    ["a name that no file can have", "clusters: [{ name: a/b }]", /it needs a name/],
    ["one name twice", "clusters: [{ name: eu }, { name: us }, { name: eu }]", /"eu" is there twice/],
    ["no time at all", "clusters: [{ name: eu, timeoutSeconds: 0 }]", /cluster eu: timeoutSeconds: .* from 1 to/],
    ["settings that are no map", "clusters: [{ name: eu, settings: [x] }]", /cluster eu: settings: is not a map/],
    [
      "a kubeconfig's content",
      'clusters: [{ name: eu, kubeconfig: "a: b\\nc: d" }]',
      /kubeconfig: is not the path of a file/,
    ],
  ])("with %s is refused", async (_what, yaml, message) => {
    const refused = yaml === undefined ? readList(join(folder, "none.yaml")) : listed(yaml);
    await expect(refused).rejects.toMatchObject({ name: "ListError", message: expect.stringMatching(message) });
  });

  test("all that is wrong with it is told at once", async () => {
    await expect(listed("paralel: 2\nparallel: 0\nclusters: [{ name: '' }]")).rejects.toMatchObject({
      message: expect.stringMatching(/- the list: there is no paralel[\s\S]*- parallel: [\s\S]*- clusters\[0\]/),
    });
  });
});

describe("a stack's settings", () => {
  const cluster = (settings: Cluster["settings"]): Cluster => ({
    name: "eu",
    stack: "eu",
    timeoutSeconds: 1,
    settings,
  });
  const list = () => ({ program, settingsFolder: join(folder, "settings"), clusters: [] });
  const file = () => join(folder, "settings", "Pulumi.eu.yaml");
  const content = async () => parse(await readFile(file(), "utf8")) as object;

  test("come from the list; what left it goes, what is encrypted or of another namespace stays", async () => {
    await mkdir(join(folder, "settings"));
    const secret = { secure: "v1:abc:def" };
    const before = {
      "k8sauth:akeylessSigningKey": secret,
      "k8sauth:audience": "old",
      "k8sauth:context": "x",
      "aws:region": "r",
    };
    await writeFile(file(), `# mine\nencryptionsalt: v1:s\nconfig: ${JSON.stringify(before)}\n`);
    await writeSettings(list(), cluster({ audience: "new", products: ["consul"] }));
    const config = {
      "k8sauth:akeylessSigningKey": secret,
      "k8sauth:audience": "new",
      "aws:region": "r",
      "k8sauth:products": ["consul"],
    };
    expect(await content()).toEqual({ encryptionsalt: "v1:s", config });
    expect(await readFile(file(), "utf8")).toMatch(/^# mine/);
  });

  test("are written where there are none, and left alone where nothing differs", async () => {
    await writeSettings(list(), cluster({ audience: "new", certificateFlow: true }));
    expect(await content()).toEqual({ config: { "k8sauth:audience": "new", "k8sauth:certificateFlow": true } });
    const { ino } = await stat(file());
    await writeSettings(list(), cluster({ audience: "new", certificateFlow: true }));
    expect((await stat(file())).ino).toBe(ino);
  });
});
