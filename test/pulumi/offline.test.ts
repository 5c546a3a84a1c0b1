import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { type BothEngines, embeddedSteps, unknown, useCluster } from "./fixture.ts";
import { Link } from "./link.ts";

const cluster = useCluster();

/**
 * Bounds that a busy machine keeps as well, in milliseconds. The Kubernetes plugin of the CLI waits for two TLS
 * handshakes of a silent server, 10 s each.
 */
const patience = { embedded: 20_000, cli: 60_000 };

/** A stack whose cluster can be put out of reach. */
async function distant(name: string) {
  const folder = await mkdtemp(join(tmpdir(), "k8sauth-link-"));
  const { link, kubeconfig } = await Link.open(inject("kubeconfig"), folder);
  const both = await cluster.make(name, { kubeconfig });
  return {
    both,
    link,
    async [Symbol.asyncDispose]() {
      await link.mend();
      await both[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

/** The previews of both engines, which must end in time. */
async function previews({ stack, cli }: BothEngines) {
  const started = performance.now();
  const { outputs } = await stack.preview();
  const embedded = { steps: embeddedSteps(stack), outputs: JSON.stringify(outputs) };
  const between = performance.now();
  const real = await cli.preview();
  const times = { embedded: between - started, cli: performance.now() - between };
  expect(times.embedded).toBeLessThan(patience.embedded);
  expect(times.cli).toBeLessThan(patience.cli);
  return { embedded, real };
}

describe.each(["refused", "silent"] as const)("previews while the cluster is out of reach (%s)", (how) => {
  test("a new stack: both engines plan the same, mark what is unknown, and do not fail", async () => {
    await using set = await distant("new");
    await set.both.cli.init();
    await set.link.cut(how);
    const { embedded, real } = await previews(set.both);
    expect(embedded.steps).toEqual(real.steps);
    expect(real.steps).toContain("create ReviewerToken");
    expect(embedded.outputs).toContain(unknown);
    expect(real.json).toContain(unknown);
  });

  test("an unchanged stack: neither engine plans anything", async () => {
    await using set = await distant("unchanged");
    await set.both.stack.up();
    await set.link.cut(how);
    const { embedded, real } = await previews(set.both);
    expect(real.steps).toEqual([]);
    expect(embedded.steps).toEqual([]);
    expect(real.diagnostics.join("\n")).toMatch(/reach/);
  });

  test("a changed stack: both engines plan the same", async () => {
    await using set = await distant("changed");
    await set.both.stack.up();
    await set.both.stack.configure({ serviceAccountName: "other-reviewer", audience: "gateway" });
    await set.link.cut(how);
    const { embedded, real } = await previews(set.both);
    expect(embedded.steps).toEqual(real.steps);
    expect(real.steps).toContain("replace ReviewerToken");
    expect(embedded.outputs).toContain(unknown);
    expect(real.json).toContain(unknown);
  });
});
