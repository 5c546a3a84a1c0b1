/** Writes the generated pages: `npm run generate`. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { generatedPages } from "./pages.ts";

for (const [path, generate] of Object.entries(generatedPages)) {
  const file = new URL(`../../${path}`, import.meta.url);
  writeFileSync(file, generate(existsSync(file) ? readFileSync(file, "utf8") : ""));
}
