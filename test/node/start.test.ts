import { describe, expect, test } from "vitest";
import { Demonstration, expectProofs } from "../support/reader/demonstration.ts";
import { noNode } from "./pods.ts";

describe.skipIf(noNode)("the demonstration on a machine that can have a node", () => {
  test("logs pods in at gateways, has the verifier's pods tell callers apart, and can be repeated", async () => {
    await using demonstration = new Demonstration();
    for (const _ of ["from nothing", "again"]) {
      const { status, output } = await demonstration.run("start");
      expect(status, output).toBe(0);
      expectProofs(output);
      expect(output).toContain("Pods run on its node");
      expect(
        output.match(/ok {4}A workload logs in at Akeyless, .*k8sauth-demo\/shop, in the pod "allowed"/g),
      ).toHaveLength(2);
    }
    const preview = ["preview", "--stack", "sandbox", "--expect-no-changes"];
    const { status, output } = await demonstration.run("pulumi", ...preview);
    expect(status, output).toBe(0);
    expect(demonstration.kubeconfigsLeft()).toEqual([]);
  });
});
