/** The licenses of third-party code in a bundle. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Package } from "./packages.ts";

/** SPDX identifiers of the permissive licenses, which code in a bundle must have. */
const permissive: readonly string[] = [
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
];

/**
 * The text that must accompany copies of a bundle: for each package its name, version, license and the license's text, with its NOTICE file
 * if it has one (Apache License, section 4).
 *
 * @throws Error for a package without a license text, or with a license that is not permissive
 */
export function licenseTexts(packages: readonly Package[], root: string): string {
  const sections = packages.map(({ path, name, version, license }) => {
    if (!license || !isPermissive(license))
      throw new Error(
        `${name} ${version} declares the license ${license ?? "(none)"}. Code in the bundle has one of: ${permissive.join(", ")}.`,
      );
    const title = `${name} ${version} (${license})`;
    return `${title}\n${"-".repeat(title.length)}\n\n${packageTexts(join(root, path), `${name} ${version}`)}\n`;
  });
  return `Third-party code in this bundle, and its licenses\n\n${sections.join("\n\n")}`;
}

/** Whether all licenses of an SPDX expression with AND are permissive. Expressions with OR are refused. */
function isPermissive(expression: string): boolean {
  const terms = expression.replace(/^\((.*)\)$/, "$1").split(" AND ");
  return terms.every((license) => permissive.includes(license));
}

function packageTexts(folder: string, what: string): string {
  const names = readdirSync(folder).sort();
  const licenses = names.filter((name) => /^(licen[cs]e|copying)\b/i.test(name));
  if (licenses.length === 0) throw new Error(`${what} has no license text (LICENSE, COPYING) in ${folder}.`);
  const notices = names.filter((name) => /^notice\b/i.test(name));
  return [...licenses, ...notices]
    .map((name) => readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n").trim())
    .join("\n\n");
}
