import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import type { Cluster } from "../../../examples/fleet/list.ts";
import { page } from "../../../examples/fleet/page.ts";
import { Progress } from "../../../examples/fleet/progress.ts";
import type { FleetReport } from "../../../examples/fleet/report.ts";

const clusters: Cluster[] = ["one", "three", "five"].map((name) => ({
  name,
  stack: name,
  timeoutSeconds: 1,
  settings: {},
}));
const [one, three, five] = clusters as [Cluster, Cluster, Cluster];

function shown(live: boolean, rows = 40, columns = 60) {
  const written: string[] = [];
  let now = 0;
  const terminal = { live, columns, rows, write: (text: string) => void written.push(text) };
  const progress = new Progress(clusters, "up", terminal, () => now);
  return { progress, written, after: (seconds: number) => (now += seconds * 1000) }; // biome-ignore format: short
}

const good = { cluster: one, status: "succeeded", seconds: 2.04, changes: { create: 3, same: 2 } } as const;
const bad = {
  cluster: three,
  status: "failed",
  seconds: 75,
  changes: {},
  error: { message: "no way in\nmore" },
} as const;

describe("progress", () => {
  test("without a terminal is a plain line for each stack that ends", () => {
    const { progress, written } = shown(false);
    progress.events.started(one);
    progress.events.progress(one, "create Secret token");
    progress.events.ended(good);
    progress.events.ended(bad);
    progress.close();
    expect(written).toEqual([
      "+ one    succeeded in 2.0 s: 3 created\n",
      "! three  failed after 1 min 15 s: no way in\n",
    ]);
  });

  test("on a terminal is a table that is drawn over itself, and stays as the result", () => {
    const { progress, written, after } = shown(true);
    progress.events.started(one);
    progress.events.progress(one, "create Secret token");
    after(3);
    progress.draw();
    const table = stripVTControlCharacters(written.at(-1) ?? "").split("\n");
    expect(table).toEqual([
      "> one    3.0 s  create Secret token",
      "  three  waiting",
      "  five   waiting",
      "0 of 3 succeeded, 1 under way",
      "",
    ]);
    expect(written.at(-2)).toBe("\u001b[4A\u001b[0J");
    progress.events.ended(good);
    progress.events.ended(bad);
    written.length = 0;
    progress.close();
    expect(written.map(stripVTControlCharacters).join("")).toMatch(/^\+ one .*\n! three .*\n {2}five {3}waiting\n$/);
  });

  test("never wraps a line, and shows what matters where the terminal has no room for all", () => {
    const { progress, written } = shown(true, 5, 30);
    progress.events.started(five);
    progress.events.progress(five, "a long text ".repeat(10));
    progress.events.ended(good);
    const table = stripVTControlCharacters(written.at(-1) ?? "").split("\n");
    expect(table).toHaveLength(4);
    expect(table[0]).toMatch(/^> five .*…$/);
    expect(Math.max(...table.map((line) => line.length))).toBeLessThan(30);
    progress.close();
  });
});

describe("the page", () => {
  const report: FleetReport = {
    version: 1,
    operation: "up",
    engine: "embedded",
    started: "2026-03-01T00:00:00.000Z",
    ended: "2026-03-01T00:01:05.000Z",
    parallel: 2,
    interrupted: false,
    stacks: [
      { cluster: "good", stack: "good", status: "succeeded", seconds: 3, changes: { create: 4 }, host: "https://api", kubernetes: "v1.36.3", distribution: "unknown", credentials: 1 },
      { cluster: "<b>away", stack: "away", status: "failed", seconds: 5, changes: {}, error: { message: '<script>alert("x")</script>' }, host: "", kubernetes: "", distribution: "", credentials: 0 },
    ],
    credentials: [
      { cluster: "good", stack: "good", name: "certificate", kind: "Certificate", subject: "gate:way", fingerprint: "AB:".repeat(20), notBefore: "2026-02-01T00:00:00Z", notAfter: "2026-03-29T00:00:00Z", renewAfter: "2026-03-15T00:00:00Z", condition: "valid" },
      { cluster: "good", stack: "good", name: "token", kind: "Secret", subject: "reviewer", fingerprint: "ab", notBefore: "", notAfter: "", renewAfter: "", condition: "endless" },
    ],
  }; // biome-ignore format: a table
  const html = page(report);

  test("is one file: no script, nothing from elsewhere", () => {
    expect(html).not.toMatch(/<script|<link|<img|@import|url\(|src=/);
    expect(html).toMatch(/prefers-color-scheme: dark/);
  });

  test("escapes what it shows", () => {
    expect(html).not.toContain("<b>");
    expect(html).toContain("&#60;script&#62;alert(&#34;x&#34;)");
  });

  test("has what failed first, and each credential's end and renewal", () => {
    expect(html.indexOf("away")).toBeLessThan(html.indexOf(">good<"));
    expect(html).toMatch(/2026-03-29 00:00<\/time> <small>in 27 days/);
    expect(html).toMatch(/2026-03-15 00:00/);
    expect(html).toMatch(/50 % of its life has passed/);
    expect(html).toMatch(/does not end/);
    expect(html).toMatch(/1 of 2<\/strong><span>Succeeded/);
  });

  test("of a fleet without credentials says so", () => {
    expect(page({ ...report, credentials: [] })).toContain("No stack has credentials.");
  });
});
