import { defineConfig } from "vitest/config";

/** One sandbox, one stack at a time: what a test finds in the cluster is its own. */
export default defineConfig({
  test: {
    name: "pulumi",
    include: ["test/pulumi/**/*.test.ts"],
    globalSetup: ["test/cluster/setup.ts"],
    reporters: [["verbose", { summary: false }], "./test/reporter.ts"],
    testTimeout: 240_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    sequence: { concurrent: false },
  },
});
