import { beforeAll, describe, expect, test, vi } from "vitest";
import type { Sandbox } from "../../sandbox/index.ts";
import {
  apply,
  claimsOf,
  noNode,
  pod,
  podReady,
  readFileIn,
  restrictedNamespace,
  sharedSandbox,
  soon,
} from "./pods.ts";

const tokenFile = "/var/run/secrets/tokens/token";

/**
 * The kubelet asks for a new token once 80 % of the old one's life is over, and ten minutes is the shortest life there is: that
 * takes eight minutes, and runs when K8SAUTH_LONG_TESTS is set. A kubelet that starts again has forgotten its tokens and asks for new
 * ones at once: to the pod it is the same.
 */
describe.skipIf(noNode)("the projected token of a running pod", () => {
  let sandbox: Sandbox;
  let namespace: string;
  const token = () => readFileIn(sandbox, namespace, "holder", tokenFile);

  beforeAll(async () => {
    sandbox = sharedSandbox();
    namespace = await restrictedNamespace(sandbox, "rotation");
    const script = `setInterval(() => {}, 1000); process.on("SIGTERM", () => process.exit(0));`;
    await apply(sandbox, pod({ namespace, name: "holder", script, audience: "rotation" }));
    await podReady(sandbox, namespace, "holder");
  });

  test("is replaced in its file when the kubelet has started again", async () => {
    const before = await token();
    await sandbox.component("kubelet").restart();
    await vi.waitFor(async () => expect(await token()).not.toBe(before), { ...soon, timeout: 150_000 });
    const [old, renewed] = [claimsOf(before), claimsOf(await token())];
    expect(renewed).toMatchObject({ sub: old.sub, aud: old.aud, iss: old.iss });
    expect(renewed.jti).not.toBe(old.jti);
    expect(renewed.exp).toBeGreaterThan(old.exp as number);
  }, 180_000);

  if (process.env.K8SAUTH_LONG_TESTS) {
    test("is replaced in its file after eight of its ten minutes", async () => {
      const before = await token();
      const { exp } = claimsOf(before) as { exp: number };
      await vi.waitFor(async () => expect(await token()).not.toBe(before), { timeout: 600_000, interval: 2000 });
      expect(Date.now() / 1000).toBeLessThan(exp);
    }, 660_000);
  }
});
