/** The npm package with the oldest peers that it promises, and with the newest: compiled, and previewed on a real cluster. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { peers } from "../../package/manifest.ts";
import manifest from "../../package.json" with { type: "json" };
import { pluginVersions } from "../../sandbox/pulumi/programs.ts";
import { Consumer, type Kind, type Peers, pluginPath } from "./consumer.ts";

const oldest = (name: keyof Peers) => peers[name].replace(/^\^/, "");

const ends: Readonly<Record<string, Peers>> = {
  oldest: {
    "@pulumi/kubernetes": oldest("@pulumi/kubernetes"),
    "@pulumi/pulumi": oldest("@pulumi/pulumi"),
    "@pulumi/tls": oldest("@pulumi/tls"),
  },
  newest: {
    "@pulumi/kubernetes": manifest.devDependencies["kubernetes-newest"].replace(/^.*@/, ""),
    "@pulumi/pulumi": "3.276.0",
    "@pulumi/tls": manifest.dependencies["@pulumi/tls"],
  },
};

const kind: Kind = {
  manifest: { main: "index.ts" },
  // The oldest SDK compiles no program with the option "nodenext" itself.
  tsconfig: {
    compilerOptions: {
      strict: true,
      target: "es2020",
      module: "commonjs",
      moduleResolution: "node",
      types: ["node"],
      skipLibCheck: true,
    },
  },
  typescript: "5.9.3",
  runtime: "nodejs",
};

describe.each(Object.entries(ends))("the %s peers", (_name, versions) => {
  let consumer: Consumer;
  beforeAll(async () => {
    consumer = await Consumer.make({ ...kind, peers: versions });
  });
  afterAll(() => consumer?.[Symbol.asyncDispose]());

  test("compile", async () => {
    expect(await consumer.compile()).toEqual([]);
  });

  test("preview with the plugins of the CLI", async () => {
    // The packages ask for plugins of their own version.
    const own = Object.entries(pluginVersions).map(([name, version]) => ({
      name,
      path: join(consumer.plugins, `resource-${name}-v${version}`),
    }));
    await consumer.configure({ plugins: { providers: [...pluginPath.plugins.providers, ...own] } });
    const { status, output } = await consumer.pulumi("preview", "--stack", "dev");
    // The warning about the version is caused by the paths above.
    const said = output.replaceAll(/^.*(resource plugin \w+ is expected to have version|\b1 warning).*$/gm, "");
    expect(said).not.toMatch(/warning|error/i);
    expect(status).toBe(0);
    expect(said).toContain("k8sauth:index:TokenReviewer");
  });
});
