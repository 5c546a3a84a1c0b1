import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generatedPages } from "../../docs/reference/pages.ts";
import { program } from "../support/project.ts";

test.each(Object.entries(generatedPages))(
  "%s is what `npm run generate` writes",
  { timeout: 60_000 },
  (path, generate) => {
    const page = readFileSync(join(program, path), "utf8");
    expect(generate(page)).toBe(page);
  },
);
