/** Objects that killed runs created and do not know, and what `check` and `destroy` do about them. */
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { checkOrphans } from "../../../cli/checks/orphans.ts";
import { KubeClient } from "../../../kubernetes/index.ts";
import { added, inventory, lodging } from "../../support/inventory.ts";
import { crash, creationsInFlight, deploymentOf, gone, recover, start } from "../../support/pulumi/crash.ts";
import { PulumiProcess } from "../../support/pulumi/pulumiProcess.ts";
import { program, type TestStack } from "../../support/pulumi/stack.ts";
import type { Access } from "../../support/reviewing.ts";
import { admin, expectWhole, make, makeProxied, proxy } from "./crashFixture.ts";

describe("an object that was created, and whose creator was killed before it knew,", () => {
  /** Kills the CLI when the API server has created an object of this kind, and answers nothing. */
  async function killedAtCreationOf(stack: TestStack, plural: string): Promise<string[]> {
    const run = await start(stack, "up");
    const creation = new RegExp(`/${plural}(/[^/?]+)?(\\?(?!.*dryRun).*)?$`);
    proxy.answered = (method, path) => {
      if (!["POST", "PATCH"].includes(method) || !creation.test(path)) return true;
      run.kill("engine");
      return false;
    };
    await run.end();
    await gone(stack);
    proxy.answered = () => true;
    return creationsInFlight(stack);
  }

  test.each([
    ["serviceaccounts", "ServiceAccount"],
    ["secrets", "Secret"],
  ])("is found again under its fixed name: %s", async (plural, kind) => {
    const before = await inventory(admin);
    const stack = await makeProxied();
    const inFlight = await killedAtCreationOf(stack, plural);
    expect(inFlight).toContain(kind);
    await recover(stack);
    // Creations that were under way at the same time may leave others.
    expect(await expectWhole(stack, before, inFlight)).not.toContainEqual(expect.stringMatching(`^${kind} `));
  });

  test.each([
    ["namespaces", "Namespace"],
    ["clusterroles", "ClusterRole"],
    ["clusterrolebindings", "ClusterRoleBinding"],
  ])("is an orphan under its generated name, and check names it: %s", async (plural, kind) => {
    const before = await inventory(admin);
    const stack = await makeProxied();
    const inFlight = await killedAtCreationOf(stack, plural);
    await recover(stack);
    const orphans = await expectWhole(stack, before, inFlight);
    expect(orphans).toEqual(expect.arrayContaining([expect.stringMatching(`^${kind} gateway-token-reviewer-`)]));
  });
});

describe("a destroy", () => {
  test.each([3, 9])("after an up that was killed at write %i leaves orphans alone", async (write) => {
    await using home = await lodging(admin);
    const before = await inventory(admin);
    const stack = await make(home.settings);
    await crash(stack, "up", { write });
    const inFlight = await creationsInFlight(stack);
    await recover(stack);
    const orphans = (await inventory(admin))
      .filter((object) => !before.includes(object))
      .filter((object) => inFlight.includes(object.split(" ")[0] ?? ""));
    await stack.destroy();
    const left = (await inventory(admin)).filter((object) => !before.includes(object));
    expect(orphans).toEqual(expect.arrayContaining(left));
  });

  test.each([2, 7])("that was killed at write %i is finished by cancel and destroy", async (write) => {
    await using home = await lodging(admin);
    const before = await inventory(admin);
    const stack = await make(home.settings);
    await stack.up();
    const killed = await crash(stack, "destroy", { role: "engine", write });
    expect(killed, killed.output).toMatchObject({ reached: true });
    await stack.command("cancel", "--yes");
    await stack.destroy();
    expect(added(before, await inventory(admin))).toEqual([]);
    expect((await deploymentOf(stack)).resources ?? []).toEqual([]);
  });
});

describe("of a stack without orphans", () => {
  let stack: TestStack;

  beforeAll(async () => {
    stack = await make();
    await stack.up();
  });

  test("`k8sauth check` says that every labelled object is in the state", async () => {
    const args = ["check", "--stack", stack.name, "--cwd", stack.folder, "--json"];
    const run = new PulumiProcess(process.execPath, [join(program, "cli", "main.ts"), ...args], stack.env);
    expect(await run.end(), run.output).toBe(0);
    expect((JSON.parse(run.stdout) as { findings: unknown }).findings).toContainEqual({
      claim: expect.stringMatching(
        /^every object with the label k8sauth\.dev\/stack=crash-\d+-[0-9a-f]+ is in the stack's state$/,
      ),
      holds: true,
      seen: "5 objects",
    });
  });

  test("check says that it could not look if its user may not list", async () => {
    const { host, caPem, token } = (await stack.outputs()).clusterAccess as unknown as Access;
    using reviewer = KubeClient.direct({ server: host, caPem, token, label: "the reviewer" });
    expect(await checkOrphans({ deployment: await deploymentOf(stack) }, reviewer)).toMatchObject([
      { holds: true },
      {
        holds: null,
        seen: expect.stringMatching(/^could not look for .*forbidden for namespaces, serviceaccounts, secrets,/),
      },
    ]);
  });
});
