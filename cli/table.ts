/** Text in columns. Only output to a terminal has colours and a limited width. */
import { stripVTControlCharacters, styleText } from "node:util";
import type { Terminal } from "./command.ts";

type Style = "green" | "red" | "yellow" | "bold" | "dim";

/** Colours text for a terminal that shows colours. */
export function paint(terminal: Terminal | undefined, style: Style, text: string): string {
  return terminal?.colors ? styleText(style, text, { validateStream: false }) : text;
}

const gap = "  ";
/** Smallest width of the last column. If a terminal leaves less, the text of that column is on the lines below. */
const leastWidth = 24;

/**
 * Formats rows as columns, one line for each row. The last column has no padding and may contain line breaks. On a terminal it is wrapped,
 * and is below the other columns if there is no room beside them.
 *
 * @param terminal undefined for output that is not a terminal: its lines have any length
 */
export function table(rows: readonly (readonly string[])[], terminal?: Terminal, indent = gap): string {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count - 1 }, (_, column) =>
    Math.max(...rows.map((row) => widthOf(row[column] ?? ""))),
  );
  const beside = indent.length + widths.reduce((sum, width) => sum + width + gap.length, 0);
  const room = (terminal?.columns ?? Number.POSITIVE_INFINITY) - beside;
  const below = room < leastWidth && widths.length > 1;
  const start = below ? indent.length + (widths[0] ?? 0) + gap.length : beside;
  const lines = rows.map((row) => {
    const padded = widths.map((width, column) => pad(row[column] ?? "", width));
    const first = indent + padded.map((cell) => cell + gap).join("");
    const last = wrap(row[count - 1] ?? "", (terminal?.columns ?? Number.POSITIVE_INFINITY) - start);
    const [head = "", ...rest] = below ? ["", ...last] : last;
    return [first + head, ...rest.map((line) => " ".repeat(start) + line)]
      .map((line) => `${line.trimEnd()}\n`)
      .join("");
  });
  return lines.join("");
}

function pad(text: string, width: number): string {
  return text + " ".repeat(width - widthOf(text));
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

/**
 * Splits text into lines of whole words, and keeps its line breaks. A command in backticks is one word, so that it can be copied. A word that
 * is longer than the width has its own line.
 */
function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    for (const word of paragraph.match(/(?:`[^`]*`|[^\s`])+|`/g) ?? [""]) {
      const line = lines.at(-1);
      if (line !== undefined && widthOf(line) + 1 + widthOf(word) <= width) lines[lines.length - 1] = `${line} ${word}`;
      else lines.push(word);
    }
    return lines;
  });
}
