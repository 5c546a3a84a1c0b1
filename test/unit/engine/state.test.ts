import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { Snapshot, type SnapshotContent } from "../../../engine/snapshot.ts";
import { dependenciesOf, manifest, type ResourceState, withoutDangling } from "../../../engine/state.ts";

function resource(name: string, more: Partial<ResourceState> = {}): ResourceState {
  return { urn: `urn:pulumi:dev::test::mem:index:Thing::${name}`, type: "mem:index:Thing", custom: true, ...more };
}
const urn = (name: string) => resource(name).urn;

test("the manifest's magic is the SHA-256 of its version, which Pulumi checks", () => {
  const { magic, version, time } = manifest("0.1.0", new Date("2026-01-02T03:04:05Z"));
  expect(magic).toBe(createHash("sha256").update(version).digest("hex"));
  expect(time).toBe("2026-01-02T03:04:05.000Z");
});

test("a resource needs its dependencies, its parent and its provider", () => {
  const state = resource("a", {
    dependencies: [urn("b")],
    propertyDependencies: { x: [urn("c")], y: [] },
    parent: urn("d"),
    provider: "urn:pulumi:dev::test::pulumi:providers:mem::default::an-id",
    deletedWith: urn("e"),
  });
  expect([...dependenciesOf(state)].sort()).toEqual(
    [urn("b"), urn("c"), urn("d"), urn("e"), "urn:pulumi:dev::test::pulumi:providers:mem::default"].sort(),
  );
});

test("references to what is gone are dropped, and everything else is kept", () => {
  const [a, b] = withoutDangling([
    resource("a", { unknownField: 1 }),
    resource("b", { dependencies: [urn("a"), urn("gone")], propertyDependencies: { x: [urn("gone")] } }),
  ]);
  expect(a).toEqual(resource("a", { unknownField: 1 }));
  expect(b).toEqual(resource("b", { dependencies: [urn("a")], propertyDependencies: { x: [] } }));
});

describe("a snapshot", () => {
  function gated(content: SnapshotContent) {
    const writes: SnapshotContent[] = [];
    const gates: (() => void)[] = [];
    const snapshot = new Snapshot(content, async (next) => {
      await new Promise<void>((resolve) => gates.push(resolve));
      writes.push(next);
    });
    return { snapshot, writes, open: () => gates.shift()?.() };
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  test("writes what this run made before what is left of the last", async () => {
    const { snapshot, writes, open } = gated({ resources: [resource("a"), resource("b")], pending: [] });
    snapshot.add(resource("c"), snapshot.old(urn("a")));
    const saved = snapshot.save();
    await turn();
    open();
    await saved;
    expect(writes[0]?.resources.map((item) => item.urn)).toEqual([urn("c"), urn("b")]);
  });

  test("joins changes that come while a write is under way, and never says saved before they are", async () => {
    const { snapshot, writes, open } = gated({ resources: [], pending: [] });
    const first = snapshot.save();
    await turn();
    snapshot.add(resource("a"));
    const second = snapshot.save();
    snapshot.add(resource("b"));
    const third = snapshot.save();
    open();
    await first;
    expect(writes.at(-1)?.resources).toEqual([]);
    await turn();
    open();
    await Promise.all([second, third]);
    expect(writes.length).toBe(2);
    expect(writes.at(-1)?.resources.length).toBe(2);
  });

  test("once sealed takes no more, and lets the last write come to its end", async () => {
    const { snapshot, writes, open } = gated({ resources: [], pending: [] });
    const saved = snapshot.save();
    await turn();
    let sealed = false;
    const sealing = snapshot.seal().then(() => {
      sealed = true;
    });
    await turn();
    expect(sealed).toBe(false);
    await expect(snapshot.save()).rejects.toThrow(/has ended/);
    open();
    await Promise.all([saved, sealing]);
    expect(writes.length).toBe(1);
  });

  test("goes on after a write that failed", async () => {
    let fail = true;
    const snapshot = new Snapshot({ resources: [], pending: [] }, async () => {
      if (fail) throw new Error("disk full");
    });
    await expect(snapshot.save()).rejects.toThrow("disk full");
    fail = false;
    await snapshot.save();
  });

  test("tells a live resource from one that only waits for its deletion", () => {
    const { snapshot } = gated({
      resources: [resource("a", { delete: true }), resource("a", { id: "live" })],
      pending: [],
    });
    expect(snapshot.old(urn("a"))?.id).toBe("live");
  });
});
