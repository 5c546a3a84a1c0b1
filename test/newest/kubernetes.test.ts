/**
 * This repository pins `@pulumi/kubernetes` to the newest version whose plugin can be built from Go modules. Users of the npm package
 * may have a newer one. The development dependency `kubernetes-newest` is that version under another name: the project "newest" of
 * vitest.config.ts runs the tests of the components with it, and here the stack and the components are compiled against it. No
 * plugin of that version is downloaded.
 */
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as kubernetes from "@pulumi/kubernetes";
import { expect, test } from "vitest";

/** Loads a module as Node.js does, without the aliases of this project. */
const load = createRequire(import.meta.url) as (name: string) => { readonly Provider: unknown };
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

test("the project's tests import the newest version, not the pinned one", async () => {
  const [newest, pinned] = ["kubernetes-newest", "@pulumi/kubernetes"].map((name) => load(`${name}/provider.js`));
  expect(kubernetes.Provider).toBe(newest?.Provider);
  expect(kubernetes.Provider).not.toBe(pinned?.Provider);
});

test("the stack and the components compile against the newest version", async () => {
  const compiler = path("../../node_modules/typescript/bin/tsc");
  const run = promisify(execFile)(process.execPath, [compiler, "--project", path("tsconfig.json")]);
  await expect(run).resolves.toEqual({ stdout: "", stderr: "" });
});
