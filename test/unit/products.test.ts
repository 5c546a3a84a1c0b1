/** Documents, example and tests of the products of the setting `products`: see "A gateway product" in CONTRIBUTING.md. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { products } from "../../components/products.ts";
import { program } from "../support/project.ts";

const read = (path: string) => readFileSync(join(program, path), "utf8");

describe.each(products)("the product %s", (product) => {
  const name = new RegExp(`\\b${product}\\b`, "i");

  test.each([
    "README.md",
    "package/README.md",
    "docs/README.md",
    "docs/gateways.md",
    "docs/proved.md",
    "docs/security-review.md",
    "stack/settings/reviewer.ts",
  ])("is named in %s", (path) => {
    expect(read(path)).toMatch(name);
  });

  test("has an example, which the cluster tests run", () => {
    expect(existsSync(join(program, "examples", "gateways", product, "README.md"))).toBe(true);
    expect(read("examples/gateways/README.md")).toContain(`](${product}/README.md)`);
    expect(read("test/cluster/examples/gateways.test.ts")).toMatch(new RegExp(`^test\\("${product}\\b`, "im"));
  });
});

// SPIRE reads a kubeconfig, so it has no auth config.
test.each(products.filter((product) => product !== "spire"))(
  "%s has tests of refused and of masked fields",
  (product) => {
    const tests = read("test/unit/gateways/products.test.ts");
    expect(tests).toMatch(new RegExp(`^ +\\["${product}", "\\w+", \\(\\) =>`, "im"));
    expect(tests).toMatch(new RegExp(`^ +\\["${product}", \\w+\\(`, "im"));
  },
);
