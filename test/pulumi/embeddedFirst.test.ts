import { describe, expect, test } from "vitest";
import { tokenFlow, useCluster } from "./fixture.ts";
import { counted } from "./objects.ts";

const cluster = useCluster();

describe("a stack that the embedded engine made", () => {
  test("the CLI's preview shows no change", async () => {
    await using both = await cluster.make("clean");
    await both.stack.up();
    await both.cli.previewNothing();
  });

  test("the CLI's refresh drops, replaces and changes nothing, and both engines see no change after it", async () => {
    await using both = await cluster.make("refreshed");
    await both.stack.up();
    const before = await both.stack.outputs();
    expect(await both.cli.refresh()).toEqual({ steps: [], diagnostics: [] });
    await both.cli.previewNothing();
    await both.stack.preview();
    expect(both.stack.steps).toEqual([]);
    expect(await both.stack.outputs()).toEqual(before);
  });

  test("the CLI's unchanged update touches nothing", async () => {
    await using both = await cluster.make("unchanged");
    await both.stack.up();
    const before = await cluster.objects();
    expect(await both.cli.up()).toEqual({ steps: [], diagnostics: [] });
    expect(await cluster.objects()).toEqual(before);
  });

  test("the CLI changes the audience in place, with the plugin's warning", async () => {
    await using both = await cluster.make("audience");
    await both.stack.up();
    const before = await cluster.objects();
    await both.stack.configure({ audience: "gateway" });
    const { steps, diagnostics } = await both.cli.up();
    expect(steps).toEqual(["update ReviewerToken"]);
    expect(diagnostics).toEqual([
      expect.stringMatching(/audience "gateway" are accepted only in reviews that name it/),
    ]);
    expect(await cluster.objects()).toEqual(before);
    expect(await both.stack.outputs()).toMatchObject({ clusterAccess: { audience: "gateway" } });
  });

  test("the CLI replaces the account and all that hangs on it when its name changes", async () => {
    await using both = await cluster.make("renamed");
    await both.stack.up();
    await both.stack.configure({ serviceAccountName: "other-reviewer" });
    const { steps, diagnostics } = await both.cli.up();
    expect(diagnostics).toEqual([]);
    expect(steps).toEqual([
      "replace ClusterRoleBinding",
      "replace ReviewerToken",
      "replace Secret",
      "replace ServiceAccount",
    ]);
    const objects = await cluster.objects();
    expect(counted(objects)).toEqual(tokenFlow);
    expect(objects.join("\n")).toContain("/other-reviewer-token");
    await both.stack.preview();
    expect(both.stack.steps).toEqual([]);
  });

  test("both engines give the same outputs, secrets too", async () => {
    await using both = await cluster.make("outputs", { audience: "gateway" });
    await both.stack.up();
    const outputs = await both.stack.outputs();
    expect(outputs).toMatchObject({ clusterAccess: { token: expect.stringMatching(/^ey/) } });
    expect(await both.cli.outputs()).toEqual(outputs);
    await both.cli.up();
    expect(await both.cli.outputs()).toEqual(outputs);
    expect(await both.stack.outputs()).toEqual(outputs);
  });

  test("the CLI masks the secrets that the embedded engine saved", async () => {
    await using both = await cluster.make("masked");
    await both.stack.up();
    const { stdout } = await both.cli.run(["stack", "output", "--stack", "masked", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ authConfigs: "[secret]", clusterAccess: "[secret]" });
  });

  test("the CLI's destroy leaves nothing in the cluster", async () => {
    await using both = await cluster.make("destroyed");
    await both.stack.up();
    const { diagnostics } = await both.cli.destroy();
    expect(diagnostics).toEqual([]);
    expect(await cluster.objects()).toEqual([]);
  });

  test("the CLI heals what was deleted behind our back", async () => {
    await using both = await cluster.make("healed");
    await both.stack.up();
    const binding = (await cluster.objects()).find((object) => object.startsWith("ClusterRoleBinding "))?.split(" ")[1];
    await cluster.client.delete(`/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/${binding}`);
    expect((await both.cli.refresh()).steps).toEqual(["delete ClusterRoleBinding"]);
    expect((await both.cli.up()).steps).toEqual(["create ClusterRoleBinding"]);
    expect(counted(await cluster.objects())).toEqual(tokenFlow);
    await both.stack.preview();
    expect(both.stack.steps).toEqual([]);
  });
});
