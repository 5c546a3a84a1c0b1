import { describe, expect, test } from "vitest";
import { Demonstration } from "../support/demonstration.ts";
import { noNode } from "./pods.ts";

describe.skipIf(noNode)("the demonstration on a machine that can have a node", () => {
  test("logs pods in at gateways, has the verifier's pods tell callers apart, and can be repeated", async () => {
    await using demonstration = new Demonstration();
    for (const _ of ["from nothing", "again"]) {
      const { status, output } = await demonstration.run("start");
      expect(status, output).toBe(0);
      expect(output).not.toMatch(/^ +FAIL/m);
      expect(output).toContain("A node on which pods run");
      for (const gateway of ["Akeyless, by the reviewer's token", "Akeyless, by the client certificate"])
        expect(output).toMatch(new RegExp(`ok {4}A workload logs in at ${gateway} .*k8sauth-demo/shop, pod allowed`));
      expect(output).toMatch(/ok {4}A workload logs in at Vault, .*k8sauth-demo\/shop/);
      expect(output).toContain("200 system:serviceaccount:k8sauth-demo:shop");
      expect(output).toMatch(/is refused +401 .*another audience/);
      expect(output).toMatch(/is refused +403 /);
      // Nothing that is secret is shown.
      expect(output).not.toMatch(/eyJhbGciOi|PRIVATE KEY-----\n/);
    }
    const preview = ["preview", "--stack", "sandbox", "--expect-no-changes"];
    const { status, output } = await demonstration.run("pulumi", ...preview);
    expect(status, output).toBe(0);
    expect(demonstration.kubeconfigsLeft()).toEqual([]);
  });
});
