import { describe, expect, test } from "vitest";
import { useCluster } from "./fixture.ts";

const cluster = useCluster();

describe.each(["RSA2048", "P256"])("a client certificate with a key of the kind %s", (certificateKeyType) => {
  const config = { certificateFlow: true, certificateKeyType };

  test("made by the embedded engine, it is kept, given out and taken away by the CLI", async () => {
    await using both = await cluster.make("certificate", config);
    await both.stack.up();
    const outputs = await both.stack.outputs();
    await both.cli.previewNothing();
    expect(await both.cli.refresh()).toEqual({ steps: [], diagnostics: [] });
    expect(await both.cli.up()).toEqual({ steps: [], diagnostics: [] });
    expect(await both.cli.outputs()).toEqual(outputs);
    expect((await both.cli.destroy()).diagnostics).toEqual([]);
    expect(await cluster.objects()).toEqual([]);
  });

  test("made by the CLI, it is kept, given out and taken away by the embedded engine", async () => {
    await using both = await cluster.make("certificate", config);
    await both.cli.init();
    await both.cli.up();
    const outputs = await both.cli.outputs();
    await both.stack.preview();
    expect(both.stack.steps).toEqual([]);
    await both.stack.refresh();
    await both.stack.up();
    expect(both.stack.steps).toEqual([]);
    expect(await both.stack.outputs()).toEqual(outputs);
    await both.stack.destroy();
    expect(await cluster.objects()).toEqual([]);
  });
});
