/** Replaces the generated part of a page. The rest of the page is written by hand. */

const end = "<!-- End of the generated part. -->";

/**
 * Replaces the generated part of a page.
 *
 * @param source the folder or file that the part follows from, as its first line names it
 * @throws Error if the page has no place for the part
 */
export function withPart(page: string, source: string, text: string): string {
  const start = `<!-- Generated from ${source} by \`npm run generate\`. -->`;
  const from = page.indexOf(start);
  const to = page.indexOf(end, from);
  if (from < 0 || to < from) throw new Error(`The page has no place for the part, between "${start}" and "${end}".`);
  return `${page.slice(0, from + start.length)}\n\n${text}\n${page.slice(to)}`;
}

/** A row of a table. */
export function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replace(/\s+/g, " ").replaceAll("|", "\\|")).join(" | ")} |`;
}

/** The first sentence of a text. */
export function firstSentence(text: string): string {
  return text.replace(/\s+/g, " ").replace(/^(.*?[^.]\.)(?: .*)?$/, "$1");
}
