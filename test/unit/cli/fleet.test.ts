import { setImmediate } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { checkCommand } from "../../../cli/check.ts";
import { checkStacks, formatStacks, holds, type StackReport } from "../../../cli/checks/fleet.ts";

const now = new Date("2026-01-10T12:00:00Z");
const certificate = { credential: "certificate", subject: "gateway", notAfter: "2026-02-20T12:00:00Z" };
const token = { credential: "token", subject: "reviewer", notAfter: "" };
const good = (count: number) => Array.from({ length: count }, (_, n) => ({ claim: `C${n}`, holds: true, seen: "so" }));
const blank = { cluster: "", host: "", kinds: [], expiries: [], findings: [] };

const reports: StackReport[] = [
  {
    stack: "fleet-eu-1",
    cluster: "eu-1",
    host: "https://api.eu-1.example.com:6443",
    kinds: ["Secret", "Certificate"],
    expiries: [token, certificate],
    findings: good(12),
  },
  {
    stack: "fleet-eu-2",
    cluster: "eu-2",
    host: "https://api.eu-2.example.com:6443",
    kinds: ["Secret"],
    expiries: [token],
    findings: [
      ...good(6),
      { claim: "It reads no Secrets", holds: false, seen: "it was allowed" },
      { claim: "C", holds: null, seen: "forbidden" },
    ],
  },
  { ...blank, stack: "fleet-us", error: "no stack named 'fleet-us' found" },
];

describe("the page over several stacks", () => {
  test("has a row for each stack, then what does not hold, with its stack", () => {
    expect(formatStacks(reports, now)).toBe(
      [
        "        STACK       CLUSTER  HOST                               CREDENTIALS         CHECKS               NEXT EXPIRY",
        "  ok    fleet-eu-1  eu-1     https://api.eu-1.example.com:6443  token, certificate  12 ok                certificate expires in 41 days (2026-02-20T12:00:00Z)",
        "  FAIL  fleet-eu-2  eu-2     https://api.eu-2.example.com:6443  token               6 ok, 1 failed, 1 ?  none expires",
        "  FAIL  fleet-us    -        -                                  -                   0 ok, not finished   -",
        "",
        "fleet-eu-2",
        "  FAIL  It reads no Secrets  it was allowed",
        "",
        "fleet-us",
        "  FAIL  the check  no stack named 'fleet-us' found",
        "",
        "1 of 3 stacks passed.",
        "",
      ].join("\n"),
    );
  });

  test("has several lines for a stack on a terminal of 80 columns, none of them longer", () => {
    const page = formatStacks(reports, now, { columns: 80, colors: true });
    const plain = stripVTControlCharacters(page);
    expect(plain).toContain(
      [
        "  ok    fleet-eu-1  eu-1, https://api.eu-1.example.com:6443",
        "                    token, certificate: 12 ok",
        "                    certificate expires in 41 days (2026-02-20T12:00:00Z)",
        "  FAIL  fleet-eu-2  eu-2, https://api.eu-2.example.com:6443",
      ].join("\n"),
    );
    expect(Math.max(...plain.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(page).toContain("\u001b[31m1 failed");
  });

  test("shows the next to expire, in red once it has expired", () => {
    const expired = { ...certificate, credential: "old", notAfter: "2026-01-07T12:00:00Z" };
    const page = formatStacks([{ ...blank, stack: "s", expiries: [certificate, expired] }], now, {
      columns: 200,
      colors: true,
    });
    expect(page).toContain("old \u001b[31mexpired 3 days ago");
  });

  test("counts a claim that could not be checked as no failure, and an error as one", () => {
    expect(holds({ ...blank, stack: "s", findings: [{ claim: "C", holds: null, seen: "" }] })).toBe(true);
    expect(holds({ ...blank, stack: "s", error: "no" })).toBe(false);
  });
});

test("stacks are checked four at a time, and reported in the order that was asked for", async () => {
  const names = Array.from({ length: 10 }, (_, number) => `stack-${number}`);
  let [running, most, shown] = [0, 0, ""];
  const checkOne = async (stack: string) => {
    most = Math.max(most, ++running);
    await setImmediate();
    running--;
    return { ...blank, stack };
  };
  const err = (text: string) => {
    shown += text;
  };
  const checked = await checkStacks(names, checkOne, { err, tty: true });
  expect(checked.map(({ stack }) => stack)).toEqual(names);
  expect(most).toBe(4);
  expect(shown).toContain("\u001b[K0 of 10 stacks checked");
  expect(shown.endsWith("10 of 10 stacks checked\r\u001b[K")).toBe(true);
});

test.each(["outputs", "kubeconfig", "context"])("--%s with several stacks is wrong usage", async (option) => {
  const io = { out: () => {}, err: () => {}, tty: false, env: {}, signal: new AbortController().signal };
  const run = checkCommand.run(["--stack", "a", "--stack", "b", `--${option}`, "x"], io);
  await expect(run).rejects.toThrow(`--${option} is for one stack, and there are several`);
});
