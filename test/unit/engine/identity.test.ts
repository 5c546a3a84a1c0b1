import { describe, expect, test } from "vitest";
import { makeUrn, providerTypePrefix } from "../../../engine/urn.ts";
import { goal, thing, urnOf, uses, World } from "../../support/world.ts";

const groupType = "mem:index:Group";

describe("aliases", () => {
  test("a resource that got another name is the same one, and what refers to it follows", async () => {
    const world = new World();
    await world.up([{ name: "old" }, { name: "b", inputs: { on: "x" }, ...uses("old") }]);
    const { id } = world.resource("old");
    await world.up([
      { name: "new", aliases: [urnOf("old")], inputs: { name: id } },
      { name: "b", inputs: { on: "x" }, ...uses("new"), ignoreChanges: ["on"] },
    ]);
    expect(world.resource("new").urn).toBe(urnOf("new"));
    expect(world.resources("old")).toEqual([]);
  });

  test("nothing is made, changed or deleted by a rename alone", async () => {
    const world = new World();
    await world.up([{ name: "old", inputs: { name: "fixed" } }]);
    await world.up([{ name: "new", inputs: { name: "fixed" }, aliases: [urnOf("old")] }]);
    expect(world.memory.calls).toEqual([]);
    expect(world.steps).toEqual([]);
  });

  test("children keep their parent when it is renamed", async () => {
    const world = new World();
    const [before, after] = [urnOf("g1", groupType), urnOf("g2", groupType)];
    await world.up([
      { name: "g1", type: groupType, custom: false },
      { name: "a", inputs: { name: "fixed" }, parent: before },
    ]);
    await world.up([
      { name: "g2", type: groupType, custom: false, aliases: [before] },
      { name: "a", inputs: { name: "fixed" }, parent: after },
    ]);
    expect(world.resource("a").parent).toBe(after);
    expect(world.memory.calls).toEqual([]);
  });

  test("an alias that names nothing is ignored", async () => {
    const world = new World();
    await world.up([{ name: "a", aliases: [urnOf("nobody")] }]);
    expect(world.resource("a").id).toMatch(/^a-/);
  });
});

describe("providers", () => {
  const providerType = `${providerTypePrefix}mem`;

  test("the default one is named after its version and keeps no settings of the engine's own in its outputs", async () => {
    const world = new World();
    await world.up([{ name: "a", version: "4.34.2" }]);
    const provider = world.saved.resources.find(({ type }) => type === providerType);
    expect(provider).toMatchObject({
      urn: makeUrn("dev", "test", undefined, providerType, "default_4_34_2"),
      inputs: { version: "4.34.2", __internal: {} },
      outputs: { version: "4.34.2" },
    });
    expect(provider?.outputs).not.toHaveProperty("__internal");
    expect(world.resource("a").provider).toBe(`${provider?.urn}::${provider?.id}`);
  });

  test("an upgrade of the default one touches none of its resources", async () => {
    const world = new World();
    await world.up([{ name: "a", version: "1.0.0" }]);
    const { id } = world.resource("a");
    await world.up([{ name: "a", version: "1.1.0" }]);
    expect(world.memory.calls).toEqual([]);
    expect(world.resource("a").id).toBe(id);
    expect(world.resource("a").provider).toContain("default_1_1_0");
    expect(world.saved.resources.filter(({ type }) => type === providerType).length).toBe(1);
  });

  async function onProvider(world: World, inputs: Record<string, string>) {
    return world.run(async (up) => {
      const { urn, id } = await up.register(goal({ name: "p", type: providerType, inputs }));
      await up.register(goal({ name: "a", provider: `${urn}::${id}` }));
    });
  }

  test("an updated one keeps its id and its resources", async () => {
    const world = new World();
    await onProvider(world, { world: "1", user: "x" });
    const before = world.resource("a").provider;
    await onProvider(world, { world: "1", user: "y" });
    expect(world.resource("a").provider).toBe(before);
    expect(world.memory.calls).toEqual([]);
  });

  test("a replaced one replaces its resources, and the old ones are deleted through the old one", async () => {
    const world = new World();
    await onProvider(world, { world: "1" });
    await onProvider(world, { world: "2" });
    expect(world.steps).toEqual(["replace a", "delete-replaced a"]);
    expect(world.saved.resources.filter(({ type }) => type === providerType).length).toBe(1);
    expect(world.memory.objects.size).toBe(1);
  });

  test("a package that the engine can't run is refused by name", async () => {
    const world = new World();
    await expect(world.up([{ name: "a", type: "aws:s3:Bucket" }])).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining('the package "aws"'),
    });
  });
});

describe("dependencies", () => {
  test("dependents are deleted before what they depend on", async () => {
    const world = new World();
    await world.up([
      { name: "a" },
      { name: "b", inputs: { on: "a" }, ...uses("a") },
      { name: "c", inputs: { on: "b" }, ...uses("b") },
      { name: "d", parent: urnOf("a") },
    ]);
    await world.up([]);
    const order = world.steps.map((step) => step.split(" ")[1]);
    expect(order.indexOf("c")).toBeLessThan(order.indexOf("b"));
    expect(order.indexOf("b")).toBeLessThan(order.indexOf("a"));
    expect(order.indexOf("d")).toBeLessThan(order.indexOf("a"));
  });

  test("a deletion that fails keeps what it depends on, and lets the others go", async () => {
    const world = new World();
    await world.up([{ name: "a" }, { name: "b", inputs: { on: "a" }, ...uses("a") }, { name: "c" }]);
    world.memory.during = (call) => {
      if (call.startsWith("delete b-")) throw new Error("held by a finalizer");
    };
    await expect(world.up([])).rejects.toThrow(/held by a finalizer/);
    expect(world.resources().map(({ urn }) => urn)).toEqual([urnOf("a"), urnOf("b")]);
    expect(world.saved.pending).toEqual([]);
    world.memory.during = () => {};
    await world.up([]);
    expect(world.memory.objects.size).toBe(0);
  });

  test("outputs of a component belong to a resource of the run", async () => {
    const world = new World();
    await expect(world.run((up) => up.registerOutputs(urnOf("nobody", thing), {}))).rejects.toThrow(/not a resource/);
  });
});

describe("a preview", () => {
  test("writes nothing, makes nothing and foresees what an up would do", async () => {
    const world = new World();
    await world.up([{ name: "a", inputs: { kind: "x" } }, { name: "b" }, { name: "c", inputs: { size: 1 } }]);
    const [state, objects] = [structuredClone(world.saved), new Map(world.memory.objects)];
    const wanted = [{ name: "a", inputs: { kind: "y" } }, { name: "c", inputs: { size: 2 } }, { name: "d" }];
    const changes = await world.up(wanted, { preview: true });
    expect(changes).toMatchObject({ replace: 1, update: 1, create: 1, delete: 1 });
    expect(world.saved).toEqual(state);
    expect(world.memory.objects).toEqual(objects);
    expect(world.memory.calls).toEqual([]);
    expect(await world.up(wanted)).toEqual(changes);
  });

  test("answers a creation without an id, and an update with the old one", async () => {
    const world = new World();
    await world.up([{ name: "a", inputs: { size: 1 } }]);
    const { id } = world.resource("a");
    await world.run(
      async (up) => {
        expect(await up.register(goal({ name: "a", inputs: { size: 2 } }))).toMatchObject({ id });
        expect(await up.register(goal({ name: "b" }))).toMatchObject({ id: "" });
      },
      { preview: true },
    );
  });
});
