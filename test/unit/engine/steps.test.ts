import { expect, test } from "vitest";
import { InitFailed } from "../../../engine/provider.ts";
import { isSecret, secret } from "../../../engine/values.ts";
import { type Asked, goal, urnOf, uses, World } from "../../support/world.ts";

test("a new resource is created, a known one kept, a changed one updated, and one that is no longer asked for deleted", async () => {
  const world = new World();
  expect(await world.up([{ name: "a" }, { name: "b", inputs: { size: 1 } }])).toMatchObject({ create: 3 });
  expect(await world.up([{ name: "a" }, { name: "b", inputs: { size: 1 } }])).toEqual({ same: 3 });
  await world.up([{ name: "b", inputs: { size: 2 } }]);
  expect(world.steps).toEqual(["update b", "delete a"]);
  expect([...world.memory.objects.keys()]).toEqual([world.resource("b").id]);
});

test("a second run leaves the state as it is, down to the objects that hold secrets", async () => {
  const world = new World();
  const resources = [{ name: "a", inputs: { key: secret("hush"), size: 1 } }];
  await world.up(resources);
  const before = structuredClone(world.saved);
  world.now = new Date("2027-01-01T00:00:00Z");
  await world.up(resources);
  expect(world.saved).toEqual(before);
});

test("a replacement makes the new one first, and the old one goes at the end of the run", async () => {
  const world = new World();
  await world.up([{ name: "a", inputs: { kind: "x" } }, { name: "b" }]);
  const old = world.resource("a").id;
  await world.up([
    { name: "a", inputs: { kind: "y" } },
    { name: "b", inputs: { size: 2 } },
  ]);
  expect(world.steps).toEqual(["replace a", "update b", "delete-replaced a"]);
  expect(world.memory.calls.at(0)).toMatch(/^create a-/);
  expect(world.memory.calls.at(-1)).toBe(`delete ${old}`);
  expect(world.resource("a").id).not.toBe(old);
});

test("where the name is fixed the old one goes first, and the state never tells of two", async () => {
  const world = new World();
  await world.up([{ name: "a", inputs: { name: "only", kind: "x" } }]);
  world.writes.length = 0;
  await world.up([{ name: "a", inputs: { name: "only", kind: "y" } }]);
  expect(world.memory.calls).toEqual(["delete only", "create only"]);
  for (const { state } of world.writes) expect(state.resources.filter(({ urn }) => urn === urnOf("a")).length).toBe(1);
  expect(world.resource("a")).not.toHaveProperty("pendingReplacement", true);
});

test("deleteBeforeReplace deletes those first that can't outlive it, and they are made again", async () => {
  const world = new World();
  const before = [
    { name: "a", inputs: { kind: "x" } },
    { name: "b", inputs: { kind: "on a" }, ...uses("a", "kind") },
    { name: "c", inputs: { size: 1 }, ...uses("a", "size") },
  ];
  await world.up(before);
  const ids = world.resources().map(({ id }) => id);
  await world.up(
    before.map((asked) =>
      asked.name === "a" ? { ...asked, inputs: { kind: "y" }, deleteBeforeReplace: true } : asked,
    ),
  );
  const [a, b] = ids;
  expect(world.memory.calls.slice(0, 2)).toEqual([`delete ${b}`, `delete ${a}`]);
  expect(world.memory.calls.slice(2).map((call) => call.replace(/-[0-9a-f]{8}$/, ""))).toEqual([
    "create a",
    "create b",
  ]);
  expect(world.resource("c").id).toBe(ids[2]);
});

test("deleteBeforeReplace: false keeps even a fixed name's provider from deleting first", async () => {
  const world = new World();
  await world.up([{ name: "a", inputs: { name: "only", kind: "x" } }]);
  const again = world.up([{ name: "a", inputs: { name: "only", kind: "y" }, deleteBeforeReplace: false }]);
  await expect(again).rejects.toThrow("only is taken");
  expect([...world.memory.objects.keys()]).toEqual(["only"]);
});

test("ignoreChanges keeps what the state has", async () => {
  const world = new World();
  await world.up([{ name: "a", inputs: { size: 1, kind: "x" } }]);
  await world.up([{ name: "a", inputs: { size: 2, kind: "y" }, ignoreChanges: ["kind", "size"] }]);
  expect(world.steps).toEqual([]);
  expect(world.resource("a").inputs).toMatchObject({ size: 1, kind: "x" });
});

test.each([["size"], ["*"]])("replaceOnChanges %s replaces where an update would do", async (path) => {
  const world = new World();
  await world.up([{ name: "a", inputs: { size: 1 } }]);
  await world.up([{ name: "a", inputs: { size: 2 }, replaceOnChanges: [path] }]);
  expect(world.steps).toEqual(["replace a", "delete-replaced a"]);
  expect(world.resource("a").replaceOnChanges).toEqual([path]);
});

test("a protected resource is neither replaced nor deleted until the program takes the protection off", async () => {
  const world = new World();
  await world.up([{ name: "a", protect: true }]);
  const replaced = world.up([{ name: "a", inputs: { kind: "y" }, protect: true }]);
  await expect(replaced).rejects.toMatchObject({ code: "PROTECTED" });
  await expect(world.up([])).rejects.toMatchObject({ code: "PROTECTED", message: expect.stringContaining(urnOf("a")) });
  expect(world.memory.objects.size).toBe(1);
  await world.up([{ name: "a", protect: false }]);
  await world.up([]);
  expect(world.memory.objects.size).toBe(0);
});

test.each([true, false])(
  "the run that takes the protection off may replace the resource (deleted first: %s)",
  async (deleteBeforeReplace) => {
    const world = new World();
    await world.up([{ name: "a", inputs: { kind: "x" }, protect: true }]);
    const old = world.resource("a").id;
    await world.up([{ name: "a", inputs: { kind: "y" }, protect: false, deleteBeforeReplace }]);
    expect([...world.memory.objects.keys()]).toEqual([world.resource("a").id]);
    expect(world.resource("a").id).not.toBe(old);
    expect(world.resource("a").protect).toBeUndefined();
  },
);

test("what a protected resource depends on stays with it; everything else is deleted, and each protected one is named", async () => {
  const world = new World();
  const program: Asked[] = [
    { name: "base" },
    { name: "a", protect: true, ...uses("base") },
    { name: "user", ...uses("a") },
    { name: "b", protect: true },
    { name: "c" },
  ];
  await world.up(program);
  const emptied = world.up([]);
  await expect(emptied).rejects.toMatchObject({
    code: "PROTECTED",
    message: expect.stringMatching(/::a is protected.*\n.*::b is protected/),
  });
  expect(world.resources().map(({ urn }) => urn)).toEqual([urnOf("base"), urnOf("a"), urnOf("b")]);
  expect(world.memory.objects.size).toBe(3);
});

test("a deletion that fails beside a protected resource is told too", async () => {
  const world = new World();
  await world.up([{ name: "a", protect: true }, { name: "b" }]);
  world.memory.during = (call) => {
    if (call.startsWith("delete")) throw new Error("no right to delete");
  };
  await expect(world.up([])).rejects.toMatchObject({
    code: "DEPLOYMENT_FAILED",
    message: expect.stringMatching(/::a is protected.*\n.*no right to delete/),
  });
});

test("children inherit protect from their parent", async () => {
  const world = new World();
  const parent = urnOf("group", "mem:index:Group");
  const program = [
    { name: "group", type: "mem:index:Group", custom: false, protect: true },
    { name: "a", parent },
  ];
  await world.up(program);
  expect(world.resource("a").protect).toBe(true);
});

test("retainOnDelete forgets a resource and leaves the object", async () => {
  const world = new World();
  await world.up([{ name: "a", retainOnDelete: true }]);
  await world.up([]);
  expect(world.resources()).toEqual([]);
  expect(world.memory.objects.size).toBe(1);
});

test("outputs are secret where the program says so, or where the input of the same name is", async () => {
  const world = new World();
  await world.up([{ name: "a", inputs: { key: secret("hush"), size: 1 }, additionalSecretOutputs: ["serial"] }]);
  const { outputs = {} } = world.resource("a");
  expect(isSecret(outputs.key)).toBe(true);
  expect(isSecret(outputs.serial)).toBe(true);
  expect(isSecret(outputs.size)).toBe(false);
});

test("an object that was made but is not ready enters the state, and the next run updates it", async () => {
  const world = new World();
  world.memory.after = (_call, _urn, made) => {
    throw new InitFailed(made.id, made.outputs, ["it never became ready"]);
  };
  await expect(world.up([{ name: "a" }])).rejects.toThrow("it never became ready");
  expect(world.resource("a").initErrors).toEqual(["it never became ready"]);
  world.memory.after = () => {};
  await world.up([{ name: "a" }]);
  expect(world.steps).toEqual(["update a"]);
  expect(world.resource("a").initErrors).toBeUndefined();
});

test("what a provider's check refuses is an error that names the property, and nothing is made", async () => {
  const world = new World();
  await expect(world.up([{ name: "a", inputs: { bad: 1 } }])).rejects.toMatchObject({
    code: "CHECK_FAILED",
    message: "bad: is not allowed",
  });
  expect(world.memory.calls).toEqual([]);
});

test("a name that is registered twice is refused", async () => {
  const world = new World();
  await expect(world.up([{ name: "a" }, { name: "a" }])).rejects.toMatchObject({ code: "RESOURCE_DUPLICATE" });
});

test("independent resources are made at the same time, within the limit", async () => {
  const world = new World();
  let present = 0;
  let most = 0;
  world.memory.during = async () => {
    most = Math.max(most, ++present);
    await new Promise((resolve) => setTimeout(resolve, 10));
    present -= 1;
  };
  const all = ["a", "b", "c", "d", "e", "f"];
  await world.run((up) => Promise.all(all.map((name) => up.register(goal({ name })))), { parallel: 3 });
  expect(most).toBe(3);
});

test("once a run is stopped no step begins, and what was done is in the state", async () => {
  const world = new World();
  const run = world.run(
    async (up) => {
      world.memory.during = (call) => {
        if (call.startsWith("create b")) up.stop();
      };
      const made = ["a", "b", "c"].map((name) => up.register(goal({ name })));
      const ends = await Promise.allSettled(made);
      expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
      throw new Error("stopped");
    },
    { parallel: 1 },
  );
  await expect(run).rejects.toThrow("stopped");
  expect(world.resources().map(({ urn }) => urn)).toEqual([urnOf("a"), urnOf("b")]);
  expect(world.memory.objects.size).toBe(2);
});

test("a failure deletes nothing", async () => {
  const world = new World();
  await world.up([{ name: "a" }, { name: "b" }]);
  world.memory.during = (call) => {
    if (call.startsWith("create")) throw new Error("no");
  };
  await expect(world.up([{ name: "c" }])).rejects.toThrow("no");
  expect(world.resources().length).toBe(2);
  expect(world.memory.objects.size).toBe(2);
  expect(world.saved.pending).toEqual([]);
});
