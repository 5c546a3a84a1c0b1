import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Bar, chart } from "../../bench/chart.ts";
import { program } from "../../support/project.ts";

const bars: readonly Bar[] = [
  { label: "bare", ratio: 1 },
  { label: 'k8sauth & "proofs"', ratio: 1.25, note: "1.50 s", ours: true },
];
const drawn = chart({ title: "Time of pulumi up", groups: [{ heading: "From nothing", bars }, { bars }] });

const saved = (name: string) => readFileSync(join(program, "docs", name), "utf8");
const charts: readonly (readonly [name: string, svg: string])[] = [
  ["a chart", drawn],
  ["docs/flows-bench.svg", saved("flows-bench.svg")],
  ["docs/verifier-bench.svg", saved("verifier-bench.svg")],
];

describe.each(charts)("%s", (_name, svg) => {
  const [, light = "", dark = ""] =
    /<style>(.*?)@media \(prefers-color-scheme: dark\) \{(.*?)<\/style>/s.exec(svg) ?? [];

  test.each([
    ["light", light],
    ["dark", dark],
  ])("has text and bars that stand out from its own background on %s pages", (_scheme, style) => {
    const page = colour(style, ".page");
    expect(contrast(colour(style, "text"), page)).toBeGreaterThanOrEqual(7);
    for (const bar of [".mark", ".ours"]) expect(contrast(colour(style, bar), page)).toBeGreaterThanOrEqual(3);
  });

  test("covers its whole area with the background", () => {
    const [, width = "", height = ""] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? [];
    expect(svg).toContain(`<rect class="page" x="0.5" y="0.5" width="${+width - 1}" height="${+height - 1}"`);
  });

  test("says its title and every value to a screen reader", () => {
    const [, label = ""] = /role="img" aria-label="([^"]+)"/.exec(svg) ?? [];
    const texts = [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text = ""]) => text);
    expect(texts.length).toBeGreaterThan(4);
    for (const text of texts) expect(label).toContain(text);
  });

  test("keeps text within its area", () => {
    const [, width = ""] = /viewBox="0 0 (\d+) /.exec(svg) ?? [];
    for (const [, kind, x = "", text = ""] of svg.matchAll(/<text(?: class="(\w+)")? x="(\d+)"[^>]*>([^<]*)</g)) {
      const length = text.replaceAll(/&\w+;/g, "&").length * characterWidth;
      const [from, to] = kind === "label" ? [+x - length, +x] : [+x, +x + length];
      expect(from, text).toBeGreaterThanOrEqual(0);
      expect(to, text).toBeLessThanOrEqual(+width);
    }
  });
});

/** Mean width of a character of 14 px in DejaVu Sans, a wide font. */
const characterWidth = 8;

test("README.md says what the charts show", () => {
  const readme = readFileSync(join(program, "README.md"), "utf8");
  const [, rate] = /the verifier answers ([\d.]+) times as many requests/.exec(readme) ?? [];
  expect(saved("verifier-bench.svg")).toContain(`remembered token ${rate},`);
  const [, ...times] =
    /!\[With both flows, an up from nothing takes ([\d.]+) times .* unchanged one ([\d.]+) times\]\(docs\/flows-bench\.svg\)/.exec(
      readme,
    ) ?? [];
  const [, flows = ""] = /aria-label="([^"]*)"/.exec(saved("flows-bench.svg")) ?? [];
  const ratios = [...flows.matchAll(/Both flows, [^:]+: bare Pulumi program [^,]+, k8sauth ([\d.]+)/g)];
  expect(ratios.map(([, ratio]) => ratio)).toEqual(times);
});

test("bars are as long as their ratios", () => {
  const lengths = [...drawn.matchAll(/<rect class="(?:mark|ours)"[^>]* width="(\d+)"/g)].map(([, length]) =>
    Number(length),
  );
  expect(lengths).toEqual([216, 270, 216, 270]);
});

test("a value has its note, and markup in labels is text", () => {
  expect(drawn).toContain(">1.25 (1.50 s)</text>");
  expect(drawn).toContain(">k8sauth &amp; &quot;proofs&quot;</text>");
});

/** The fill of a selector. */
function colour(style: string, selector: string): string {
  const [, found] =
    new RegExp(`(?:^|\\s)${selector.replace(".", "\\.")} \\{[^}]*fill: (#[0-9a-f]{6})`).exec(style) ?? [];
  return found ?? expect.fail(`${selector} has no colour`);
}

/** Contrast ratio of two colours by WCAG 2. */
function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
