import { expect, test } from "vitest";
import { Demonstration } from "../support/demonstration.ts";

test("the demonstration without a node says so, and shows the same with processes", async () => {
  await using demonstration = new Demonstration();
  await demonstration.startSandbox({ node: false });
  const { status, output } = await demonstration.run("start");
  expect(status, output).toBe(0);
  expect(output).toContain(
    "No node (the sandbox was started without one): the verifier and its callers run as processes",
  );
  expect(output).toMatch(/ok {4}A workload logs in at Akeyless, by the reviewer's token .*k8sauth-demo\/shop/);
  expect(output).toMatch(/ok {4}A workload logs in at Akeyless, by the client certificate .*k8sauth-demo\/shop/);
  expect(output).toMatch(/ok {4}A workload logs in at Vault, .*k8sauth-demo\/shop/);
  expect(output).toContain("200 system:serviceaccount:k8sauth-demo:shop");
  expect(output).toMatch(/is refused +401 .*another audience/);
  expect(output).toMatch(/is refused +403 /);
  expect(output).not.toMatch(/^ +FAIL/m);
  expect(output.match(/^[1-5]\/5 {2}\w+ +(\d+ min )?[\d.]+ s {2}/gm)).toHaveLength(5);
  expect(output).toMatch(/^ +authConfigs +secret +certificate \(akeyless.*\), token \(akeyless.*vault.*\)$/m);
  // Pulumi's lines for each resource are shown after a failure, or with --verbose.
  expect(output).not.toMatch(/creating \(|Resources:/);
  expect(output.split("\n").length).toBeLessThan(80);
  // No value of an output is shown, least of all base64 and PEM.
  expect(output).not.toMatch(/[A-Za-z0-9+]{60,}|-----BEGIN/);
  expect(demonstration.kubeconfigsLeft()).toEqual([]);
});
