import { expect, test } from "vitest";
import { expiryPage, type StackReport } from "../../../examples/fleet/report.ts";

const now = new Date("2026-03-01T00:00:00Z");
const credential = (subject: string, notAfter = "", renewAfter = "") => {
  return { kind: "Certificate", subject, notAfter, renewAfter };
};
const report = (cluster: string, credentials: StackReport["credentials"], error?: string): StackReport => {
  return {
    cluster,
    stack: cluster,
    status: error ? "failed" : "succeeded",
    error,
    seconds: 1,
    changes: {},
    credentials,
  };
};
const rows = (page: string) =>
  [...page.matchAll(/<tr class="(\w*)">(.*)<\/tr>/g)].map(([, style, row = ""]) =>
    [style, ...[...row.matchAll(/<td>(.*?)<\/td>/g)].map(([, cell]) => cell)].join("|"),
  );

test("the page lists credentials by expiry, and marks those that are expired or due for renewal", () => {
  const eu = {
    never: credential("a"),
    valid: credential("b", "2026-03-15T00:00:00Z", "2026-03-10T00:00:00Z"),
    due: credential("c", "2026-04-01T00:00:00Z", "2026-02-15T00:00:00Z"),
  };
  const us = { expired: credential("d", "2026-02-01T12:30:00Z", "2026-01-20T00:00:00Z") };
  const page = expiryPage([report("eu", eu), report("us", us)], now);
  expect(rows(page).slice(1)).toEqual([
    "alert|us|expired|Certificate|d|2026-02-01 12:30|2026-01-20 00:00|expired",
    "|eu|valid|Certificate|b|2026-03-15 00:00|2026-03-10 00:00|valid",
    "alert|eu|due|Certificate|c|2026-04-01 00:00|2026-02-15 00:00|renewal due",
    "|eu|never|Certificate|a|never||valid",
  ]);
});

test("the page names stacks that failed, and lists the credentials that they have", () => {
  const page = expiryPage([report("eu", { token: credential("a") }, "KUBE_REFUSED")], now);
  expect(rows(page)[0]).toBe("alert|eu|failed|KUBE_REFUSED");
  expect(rows(page).at(-1)).toBe("|eu|token|Certificate|a|never||valid");
});

test("the page escapes what it shows, and loads nothing", () => {
  const page = expiryPage([report("<b>", { "a&b": credential('"x"') }, '<script>alert("x")</script>')], now);
  expect(page).not.toMatch(/<b>|<script|<link|<img|@import|url\(|src=/);
  expect(page).toContain("&#60;script&#62;alert(&#34;x&#34;)");
  expect(page).toContain("a&#38;b");
});
