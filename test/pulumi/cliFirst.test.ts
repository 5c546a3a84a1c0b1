import { describe, expect, test } from "vitest";
import { isSecret, type Properties } from "../../engine/index.ts";
import { embeddedSteps, tokenFlow, unknown, useCluster } from "./fixture.ts";
import { counted } from "./objects.ts";

const cluster = useCluster();

describe("a stack that the Pulumi CLI made", () => {
  test("the embedded engine's preview and update show no change", async () => {
    await using both = await cluster.make("clean");
    await both.cli.init();
    await both.cli.up();
    const before = await cluster.objects();
    expect(counted(before)).toEqual(tokenFlow);
    await both.stack.preview();
    expect(both.stack.steps).toEqual([]);
    await both.stack.up();
    expect(both.stack.steps).toEqual([]);
    expect(await cluster.objects()).toEqual(before);
    await both.cli.previewNothing();
  });

  test("both engines' previews of a new stack say the same of what is known, unknown and secret", async () => {
    await using both = await cluster.make("forecast");
    await both.cli.init();
    const { outputs } = await both.stack.preview();
    const { host, caFingerprint } = outputs.cluster as Properties;
    expect(host).toMatch(/^https:/);
    expect(outputs).toMatchObject({ credentials: { token: { fingerprint: unknown } } });
    const { stdout } = await both.cli.run(["preview", ...both.cli.options]);
    const shown = stdout.replaceAll(/ +/g, " ");
    for (const line of [`host : "${host}"`, `caFingerprint : "${caFingerprint}"`, "fingerprint: [unknown]"]) {
      expect(shown).toContain(line);
    }
    for (const [name, value] of Object.entries(outputs)) {
      if (isSecret(value)) expect(shown).toMatch(new RegExp(`${name} ?: \\[secret\\]`));
    }
  });

  test("the embedded engine makes the first update of a stack that the CLI only initialised", async () => {
    await using both = await cluster.make("initialised");
    await both.cli.init();
    await both.stack.up();
    expect(counted(await cluster.objects())).toEqual(tokenFlow);
    await both.cli.previewNothing();
  });

  test("the embedded engine's refresh drops and changes nothing", async () => {
    await using both = await cluster.make("refreshed");
    await both.cli.init();
    await both.cli.up();
    await both.stack.refresh();
    expect(embeddedSteps(both.stack)).toEqual([]);
    await both.stack.preview();
    expect(both.stack.steps).toEqual([]);
    await both.cli.previewNothing();
  });

  test("the embedded engine changes the audience in place", async () => {
    await using both = await cluster.make("audience");
    await both.cli.init();
    await both.cli.up();
    await both.stack.configure({ audience: "gateway" });
    await both.stack.up();
    expect(both.stack.steps).toEqual(["update ReviewerToken"]);
    expect(await both.cli.outputs()).toMatchObject({ clusterAccess: { audience: "gateway" } });
    await both.cli.previewNothing();
  });

  test("the embedded engine replaces the account and all that hangs on it when its name changes", async () => {
    await using both = await cluster.make("renamed");
    await both.cli.init();
    await both.cli.up();
    await both.stack.configure({ serviceAccountName: "other-reviewer" });
    await both.stack.up();
    expect(embeddedSteps(both.stack)).toEqual([
      "replace ClusterRoleBinding",
      "replace ReviewerToken",
      "replace Secret",
      "replace ServiceAccount",
    ]);
    expect(counted(await cluster.objects())).toEqual(tokenFlow);
    await both.cli.previewNothing();
  });

  test("both engines give the same outputs, secrets too", async () => {
    await using both = await cluster.make("outputs", { audience: "gateway" });
    await both.cli.init();
    await both.cli.up();
    const outputs = await both.cli.outputs();
    expect(outputs).toMatchObject({ clusterAccess: { token: expect.stringMatching(/^ey/) } });
    expect(await both.stack.outputs()).toEqual(outputs);
    await both.stack.up();
    expect(await both.cli.outputs()).toEqual(outputs);
  });

  test("the embedded engine's destroy leaves nothing in the cluster", async () => {
    await using both = await cluster.make("destroyed");
    await both.cli.init();
    await both.cli.up();
    await both.stack.destroy();
    expect(await cluster.objects()).toEqual([]);
    expect((await both.cli.destroy()).diagnostics).toEqual([]);
  });
});
