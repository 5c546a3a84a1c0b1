import { describe, expect, test } from "vitest";
import { describeProgress, type Progress, ProgressMeter, progressPrinter } from "../../../sandbox/build/progress.ts";

const at = (phase: Progress["phase"], done: number, total: number, elapsedMs: number): Progress => ({
  phase,
  done,
  total,
  elapsedMs,
});

describe("a report", () => {
  test("says what is done of what, and for how long", () => {
    expect(describeProgress(at("compile", 812, 2640, 88_200))).toBe(
      "Building Kubernetes (once): 30 %, 88 s, 812 of 2640 packages",
    );
  });

  test("says what is built", () => {
    expect(describeProgress({ ...at("compile", 1, 4, 0), subject: "CoreDNS" })).toBe(
      "Building CoreDNS (once): 25 %, 1 of 4 packages",
    );
  });

  test("leaves out counts that there are none of", () => {
    expect(describeProgress(at("link", 0, 0, 0))).toBe("Linking");
    expect(describeProgress(at("link", 0, 0, 12_000))).toBe("Linking: 12 s");
  });
});

test("a meter never counts beyond its total, and begins anew with each phase", () => {
  const seen: string[] = [];
  const meter = new ProgressMeter(({ phase, done, total }) => seen.push(`${phase} ${done}/${total}`));
  meter.begin("download", 1);
  meter.step();
  meter.step();
  meter.begin("compile", 2);
  meter.close();
  expect(seen).toEqual(["download 0/1", "download 1/1", "download 1/1", "compile 0/2"]);
});

describe("printed where there is no terminal", () => {
  test("reports of every second become a line at least every five seconds, without control characters", () => {
    let now = 0;
    const lines: { at: number; text: string }[] = [];
    const printer = progressPrinter((text) => lines.push({ at: now, text }), false, { now: () => now });
    for (now = 0; now <= 60_000; now += 1000) printer.onProgress(at("compile", now / 1000, 60, now));
    printer.finish();
    const gaps = lines.slice(1).map((line, index) => line.at - (lines[index]?.at ?? 0));
    expect(lines.length).toBeGreaterThan(10);
    expect(Math.max(...gaps)).toBeLessThan(5000);
    expect(lines.map(({ text }) => text).join("")).toMatch(/^[\x20-\x7e\n]+$/);
  });

  test("a phase that is over at once leaves no line", () => {
    const text: string[] = [];
    progressPrinter((part) => text.push(part), false).onProgress(at("inspect", 0, 0, 0));
    expect(text).toEqual([]);
  });
});

test("on a terminal one line is drawn over and over, cut to the terminal's width, and cleared at the end", () => {
  let now = 0;
  const parts: string[] = [];
  const printer = progressPrinter((part) => parts.push(part), true, { prefix: "2/5  ", columns: 60, now: () => now });
  for (now = 0; now <= 9000; now += 1000) printer.onProgress(at("compile", now / 1000, 10, now));
  printer.finish();
  const [clear, lines] = ["\r\u001b[K", parts.slice(0, -1)];
  expect(lines.every((line) => line.startsWith(`${clear}2/5  [`) && !line.includes("\n"))).toBe(true);
  expect(lines.at(-1)).toBe(`${clear}2/5  [##########..] Building Kubernetes (once): 90 %, 9 s, `);
  expect(parts.at(-1)).toBe(clear);
});
