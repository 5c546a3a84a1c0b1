import { describe, expect, test } from "vitest";
import { OutcomeUnknown } from "../../../engine/provider.ts";
import { type Asked, urnOf, uses, World } from "../../support/world.ts";

const a = (inputs: Asked["inputs"]): Asked => ({ name: "a", inputs });
const scenarios: Record<string, { readonly before: Asked[]; readonly after: Asked[] }> = {
  "a creation": { before: [], after: [a({ size: 1 }), { name: "b", inputs: { on: "a" }, ...uses("a") }] },
  "an update": { before: [a({ size: 1 })], after: [a({ size: 2 })] },
  "a replacement": { before: [a({ kind: "x" })], after: [a({ kind: "y" })] },
  "a change of a fixed name": { before: [a({ name: "one" })], after: [a({ name: "two" })] },
  "a replacement that deletes first": {
    before: [a({ name: "only", kind: "x" }), { name: "b", inputs: { kind: "on a" }, ...uses("a", "kind") }],
    after: [a({ name: "only", kind: "y" }), { name: "b", inputs: { kind: "on a" }, ...uses("a", "kind") }],
  },
  "a deletion": { before: [a({}), { name: "b", inputs: { on: "a" }, ...uses("a") }], after: [] },
};

/** The objects without what differs from run to run. */
function shown(world: World): unknown[] {
  return [...world.memory.objects.values()]
    .map(({ inputs: { name, ...inputs } }) => ({ ...inputs, name: String(name).replace(/-[0-9a-f]{8}$/, "") }))
    .sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}

/** Runs a scenario to its end, and again from every moment at which it could have been killed. */
async function everyCrash(before: Asked[], after: Asked[]) {
  const whole = new World();
  await whole.up(before);
  whole.writes.length = 0;
  await whole.up(after, { parallel: 1 });
  const wanted = shown(whole);
  for (const [index, { state, objects }] of whole.writes.entries()) {
    // Killed right after a write, or just before the next: with what was done in between.
    for (const world of [objects, whole.writes[index + 1]?.objects ?? objects]) {
      const again = new World();
      again.saved = structuredClone(state);
      again.memory.objects = new Map(world);
      await again.up(after);
      expect(shown(again), `after write ${index + 1}`).toEqual(wanted);
      expect(
        again
          .resources()
          .map(({ urn }) => urn)
          .sort(),
      ).toEqual(
        whole
          .resources()
          .map(({ urn }) => urn)
          .sort(),
      );
      expect(again.saved.pending).toEqual([]);
      expect(again.resources().some((resource) => resource.delete || resource.pendingReplacement)).toBe(false);
      for (const { id } of again.resources()) expect(again.memory.objects.has(id ?? "")).toBe(true);
    }
  }
  return whole.writes.length;
}

describe("from wherever a run was killed, the next one comes to the same end", () => {
  test.each(Object.entries(scenarios))("%s", async (_name, { before, after }) => {
    expect(await everyCrash(before, after)).toBeGreaterThan(2);
  });
});

test("the operation is in the state before it begins, and out of it once its outcome is", async () => {
  const world = new World();
  const seen: unknown[] = [];
  world.memory.during = () => {
    seen.push(world.saved.pending.map(({ type, resource }) => [type, resource.urn, resource.inputs?.name]));
  };
  await world.up([{ name: "a", inputs: { name: "one" } }]);
  await world.up([{ name: "a", inputs: { name: "one", size: 2 } }]);
  await world.up([]);
  expect(seen).toEqual([
    [["creating", urnOf("a"), "one"]],
    [["updating", urnOf("a"), "one"]],
    [["deleting", urnOf("a"), "one"]],
  ]);
  expect(world.saved.pending).toEqual([]);
});

test("an outcome that is not known stays open, and the next run looks", async () => {
  const world = new World();
  world.memory.after = () => {
    throw new OutcomeUnknown("the answer got lost");
  };
  await expect(world.up([{ name: "a" }])).rejects.toThrow("the answer got lost");
  expect(world.saved.pending.map(({ type }) => type)).toEqual(["creating"]);
  world.memory.after = () => {};
  await world.up([{ name: "a" }]);
  expect(world.memory.calls).toEqual([]);
  expect(world.memory.objects.size).toBe(1);
});

test("while the next run looks for what an interrupted creation left, the state still tells of it", async () => {
  const world = new World();
  world.memory.after = () => {
    throw new OutcomeUnknown("the answer got lost");
  };
  await expect(world.up([{ name: "a" }])).rejects.toThrow();
  world.memory.after = () => {};
  const find = world.memory.find.bind(world.memory);
  world.memory.find = async (...request) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(world.saved.pending.length).toBe(1);
    return find(...request);
  };
  world.writes.length = 0;
  await world.up([{ name: "a" }]);
  for (const { state } of world.writes)
    expect(state.pending.length + (state.resources.some(({ urn }) => urn === urnOf("a")) ? 1 : 0)).toBeGreaterThan(0);
});

test("what an interrupted creation left of a resource that nobody asks for any more is deleted", async () => {
  const world = new World();
  world.memory.after = () => {
    throw new OutcomeUnknown("the answer got lost");
  };
  await expect(world.up([{ name: "a" }])).rejects.toThrow();
  world.memory.after = () => {};
  await world.up([]);
  expect(world.memory.objects.size).toBe(0);
  expect(world.saved.pending).toEqual([]);
});

test("a preview asks nobody about interrupted operations", async () => {
  const world = new World();
  world.memory.after = () => {
    throw new OutcomeUnknown("the answer got lost");
  };
  await expect(world.up([{ name: "a" }])).rejects.toThrow();
  world.memory.find = async () => {
    throw new Error("the cluster can't be reached");
  };
  expect(await world.up([{ name: "a" }], { preview: true })).toMatchObject({ create: 1 });
  expect(world.saved.pending.length).toBe(1);
});

describe("after the Pulumi CLI, which makes a resource again and leaves the interrupted creation in the state", () => {
  /** So many creations were interrupted, and then one succeeded. */
  async function afterCli(interrupted: number): Promise<World> {
    const world = new World();
    world.memory.after = () => {
      throw new OutcomeUnknown("killed");
    };
    const pending = [];
    for (let count = 0; count < interrupted; count++) {
      await expect(world.up([{ name: "a" }])).rejects.toThrow("killed");
      pending.push(...world.saved.pending);
      world.saved.pending.length = 0;
    }
    world.memory.after = () => {};
    await world.up([{ name: "a" }]);
    world.saved.pending.push(...pending);
    expect(world.memory.objects.size).toBe(interrupted + 1);
    return world;
  }

  test.each([1, 2])("what is in use is kept, and what the %i creations left is deleted", async (interrupted) => {
    const world = await afterCli(interrupted);
    const { id } = world.resource("a");
    await world.up([{ name: "a" }]);
    expect(world.resource("a").id).toBe(id);
    expect([...world.memory.objects.keys()]).toEqual([id]);
    expect(world.saved.pending).toEqual([]);
  });

  test.each([1, 2])("a destruction takes what is in use and what the %i creations left", async (interrupted) => {
    const world = await afterCli(interrupted);
    world.writes.length = 0;
    await world.up([]);
    expect(world.memory.objects.size).toBe(0);
    for (const { state } of world.writes) {
      const live = state.resources.filter((resource) => resource.urn === urnOf("a") && !resource.delete);
      expect(live.length).toBeLessThanOrEqual(1);
    }
  });

  /** The operation names a provider that is no longer in the state. */
  async function afterProvider(): Promise<World> {
    const world = await afterCli(1);
    for (const { resource } of world.saved.pending) resource.provider = resource.provider?.replace(/[^:]+$/, "gone");
    return world;
  }

  test("what it left of a resource that is still asked for is deleted by the resource's provider of now", async () => {
    const world = await afterProvider();
    const { id } = world.resource("a");
    await world.up([{ name: "a" }]);
    expect([...world.memory.objects.keys()]).toEqual([id]);
    expect(world.resources().length).toBe(1);
  });

  test("what it left is deleted by the provider that goes by the same name now", async () => {
    const world = await afterProvider();
    await world.up([{ name: "b" }]);
    expect([...world.memory.objects.keys()]).toEqual([world.resource("b").id]);
  });

  test("where no provider is left the user is told what to look for, and the run goes on", async () => {
    const world = await afterProvider();
    world.saved.resources.length = 0;
    await world.up([]);
    expect(world.saved.pending).toEqual([]);
    expect(world.events).toContainEqual(
      expect.objectContaining({
        severity: "warning",
        urn: urnOf("a"),
        message: expect.stringContaining("look yourself"),
      }),
    );
  });

  test("an operation whose object the state knows is no reason to touch it", async () => {
    const world = new World();
    await world.up([{ name: "a", inputs: { name: "only" } }]);
    const resource = { ...world.resource("a"), id: undefined, outputs: {} };
    world.saved.pending.push({ type: "creating", resource }, { type: "creating", resource });
    await world.up([{ name: "a", inputs: { name: "only" } }]);
    expect(world.steps).toEqual([]);
    expect([...world.memory.objects.keys()]).toEqual(["only"]);
    expect(world.saved.pending).toEqual([]);
  });
});
