/** Bars of a part's figures, as an SVG with a background, which is legible on light and dark pages. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Bar {
  readonly label: string;
  /** Length, as a multiple of the mark that the chart compares with. */
  readonly ratio: number;
  /** Follows the ratio, such as the time that was measured. */
  readonly note?: string;
  /** Whether it is this program, and not what it is compared with. */
  readonly ours?: boolean;
}

/** Bars that are compared with each other. */
export interface Group {
  readonly heading?: string;
  readonly bars: readonly Bar[];
}

interface Chart {
  /** Says what is compared, and with what. */
  readonly title: string;
  readonly groups: readonly Group[];
}

/** Fewer rounds are a trial and no figure. */
const leastRounds = 5;

/**
 * Writes a chart into docs, unless the rounds are too few.
 *
 * @param name of the file, such as `flows-bench.svg`
 */
export async function saveChart(name: string, rounds: number, drawn: Chart): Promise<void> {
  if (rounds < leastRounds) {
    console.log(`\ndocs/${name} stays as it is: a chart needs ${leastRounds} rounds`);
    return;
  }
  await writeFile(join(import.meta.dirname, "..", "..", "docs", name), chart(drawn));
  console.log(`\ndocs/${name} written`);
}

const width = 760;
const margin = 20;
const barsAt = 300;
/** Of the longest bar. The text after it has the rest. */
const longest = 270;
const rowHeight = 28;
const headingHeight = 30;
const titleHeight = 52;

export function chart({ title, groups }: Chart): string {
  const ratios = groups.flatMap(({ bars }) => bars.map(({ ratio }) => ratio));
  const scale = longest / Math.max(...ratios);
  const lines: string[] = [];
  let y = titleHeight;
  for (const { heading, bars } of groups) {
    if (heading !== undefined) {
      lines.push(`<text class="heading" x="${margin}" y="${y + 18}">${markup(heading)}</text>`);
      y += headingHeight;
    }
    for (const bar of bars) {
      lines.push(...row(bar, y, Math.max(1, Math.round(bar.ratio * scale))));
      y += rowHeight;
    }
  }
  const height = y + margin - 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${markup(spoken({ title, groups }))}">
  <style>
    text { font: 14px system-ui, "DejaVu Sans", sans-serif; fill: #1f2328 }
    .title, .heading { font-weight: 600 } .label { text-anchor: end }
    .page { fill: #ffffff; stroke: #d0d7de } .mark { fill: #8b949e } .ours { fill: #0969da }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .page { fill: #0d1117; stroke: #30363d } .mark { fill: #6e7681 } .ours { fill: #58a6ff }
    }
  </style>
  <rect class="page" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>
  <text class="title" x="${margin}" y="32">${markup(title)}</text>
${lines.map((line) => `  ${line}\n`).join("")}</svg>
`;
}

function row({ label, ratio, note, ours }: Bar, y: number, length: number): string[] {
  return [
    `<text class="label" x="${barsAt - 12}" y="${y + 16}">${markup(label)}</text>`,
    `<rect class="${ours ? "ours" : "mark"}" x="${barsAt}" y="${y + 2}" width="${length}" height="18" rx="3"/>`,
    `<text x="${barsAt + length + 8}" y="${y + 16}">${markup(value({ ratio, note }))}</text>`,
  ];
}

function value({ ratio, note }: Pick<Bar, "ratio" | "note">): string {
  return note ? `${ratio.toFixed(2)} (${note})` : ratio.toFixed(2);
}

/** The text for screen readers. */
function spoken({ title, groups }: Chart): string {
  const said = groups.map(({ heading, bars }) => {
    const values = bars.map((bar) => `${bar.label} ${value(bar)}`).join(", ");
    return heading === undefined ? values : `${heading}: ${values}`;
  });
  return `${title}. ${said.join(". ")}.`;
}

function markup(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
