import { describe, expect, test } from "vitest";
import { type BothEngines, bothWays, engines, everything, useCluster } from "./fixture.ts";

const cluster = useCluster();

/** Changes of every kind: in place, by replacement, with more of a thing and with less. */
const changes: readonly (readonly [string, Parameters<BothEngines["stack"]["configure"]>[0]])[] = [
  ["another audience", { audience: "other-gateway" }],
  ["another generation of the certificate", { rotation: { current: "c", previous: ["b"] } }],
  ["a key of another kind", { certificateKeyType: "RSA2048" }],
  ["fewer rights for products", { products: ["infisical"] }],
  [
    "other users",
    {
      bearerTokenUsers: {
        reader: { namespace: "shop", createNamespace: true, rules: [{ resources: ["pods"], verbs: ["list"] }] },
        auditor: { namespace: "audit", createNamespace: true, clusterRole: "view", scope: "namespace" },
      },
    },
  ],
  ["a fixed name for the binding", { bindingName: "k8sauth-test-everything" }],
  ["another role under that fixed name", { reviewerRole: "auth-delegator" }],
  ["the token of a token Secret", { tokenMode: "secret" }],
  ["no token", { tokenFlow: false, products: [] }],
];

describe.each(bothWays)("a stack with everything switched on that the engine %s made", (first, second) => {
  test(`is unchanged for ${second}, refreshes to the same, and is destroyed by it`, async () => {
    await using both = await cluster.make("everything", everything);
    await both.cli.init();
    await engines[first].up(both);
    const outputs = await both.stack.outputs();
    expect(await engines[second].preview(both)).toEqual([]);
    expect(await engines[second].refresh(both)).toEqual([]);
    expect(await engines[second].up(both)).toEqual([]);
    expect(await both.cli.outputs()).toEqual(outputs);
    expect(await engines[first].refresh(both)).toEqual([]);
    expect(await engines[first].preview(both)).toEqual([]);
    await engines[second].destroy(both);
    expect(await cluster.objects()).toEqual([]);
  });

  test("both engines plan the same for every change, and either does what both planned", {
    timeout: 900_000,
  }, async () => {
    await using both = await cluster.make("changing", everything);
    await both.cli.init();
    expect(await engines[first].preview(both)).toEqual(await engines[second].preview(both));
    await engines[first].up(both);
    let [now, next] = [second, first];
    for (const [what, change] of changes) {
      await both.stack.configure(change);
      const planned = await engines[next].preview(both);
      expect(await engines[now].preview(both), what).toEqual(planned);
      expect(planned, what).not.toEqual([]);
      expect(await engines[now].up(both), what).toEqual(planned);
      expect(await engines[next].preview(both), `after ${what}`).toEqual([]);
      [now, next] = [next, now];
    }
    expect(await both.cli.outputs()).toEqual(await both.stack.outputs());
  });
});
