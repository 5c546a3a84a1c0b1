import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { workers } from "./test/cluster/setup.ts";

const newestKubernetes = fileURLToPath(import.meta.resolve("kubernetes-newest"));

/** For tests that run several commands of the CLI: they end a test that hangs, and are no measure of speed on a busy machine. */
const patience = { testTimeout: 300_000, hookTimeout: 300_000 };

// Vitest runs projects with the same number of workers in one group, and the groups in their order.
export default defineConfig({
  test: {
    reporters: ["default", "./test/reporter.ts", "./test/faultReporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          testTimeout: 15_000,
          hookTimeout: 60_000,
          // A worker runs many files and loads each module once: loading them again takes longer than the tests.
          isolate: false,
          maxWorkers: "100%",
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "process",
          include: ["test/process/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: workers,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // The components once more, with the newest version of Pulumi's Kubernetes package instead of the pinned one.
        resolve: { alias: { "@pulumi/kubernetes": newestKubernetes } },
        test: {
          name: "newest",
          include: ["test/newest/**/*.test.ts", "test/unit/components/*.test.ts"],
          testTimeout: 120_000,
          maxWorkers: workers,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "pulumi",
          include: ["test/pulumi/**/*.test.ts"],
          globalSetup: ["test/pulumi/setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: workers,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "cluster",
          include: ["test/cluster/**/*.test.ts"],
          globalSetup: ["test/cluster/setup.ts"],
          setupFiles: ["test/cluster/sweep.ts"],
          ...patience,
          maxWorkers: workers,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "package",
          include: ["test/package/**/*.test.ts"],
          globalSetup: ["test/package/setup.ts"],
          ...patience,
          maxWorkers: workers,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "node",
          include: ["test/node/**/*.test.ts"],
          globalSetup: ["test/node/setup.ts"],
          ...patience,
          maxWorkers: workers,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
