import { expect, inject, test } from "vitest";
import { pathFor } from "../../kube/index.ts";
import { adminOf } from "../support/inventory.ts";
import { unexpectedChanges } from "./cli.ts";
import { useCluster } from "./fixture.ts";

const cluster = useCluster();
const binding = "k8sauth-drift-of-both-engines";

test("preview --refresh --expect-no-changes: the same status from both engines, for drift and for none", async () => {
  await using both = await cluster.make("drift", { bindingName: binding });
  await both.cli.init();
  await both.stack.up();
  const real = () =>
    both.cli.run(["preview", ...both.cli.options, "--refresh", "--expect-no-changes"], { status: undefined });
  expect((await real()).status).toBe(0);
  expect(await both.stack.preview({ refresh: true })).toMatchObject({
    drift: [],
    changes: { same: expect.any(Number) },
  });

  using admin = await adminOf(inject("kubeconfig"));
  await admin.delete(pathFor("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", undefined, binding));
  const { status, stdout } = await real();
  expect(status, stdout).toBe(unexpectedChanges);
  const { drift, changes } = await both.stack.preview({ refresh: true });
  expect(drift).toEqual([{ urn: expect.stringContaining("ClusterRoleBinding"), gone: true, diffs: [] }]);
  expect(changes.create).toBe(1);
});
