import { expect, test } from "vitest";
import type { SignedCertificateOutputs } from "../../../../provider/certificate/certificateFields.ts";
import { dueProperties, hasExpired } from "../../../../provider/certificate/renewal.ts";
import { renewalDate } from "../../../../provider/lifetime.ts";
import type { Context } from "../../../../provider/protocol/resource.ts";

test.each([
  ["after two thirds of its life by default", undefined, 300],
  ["as long before its expiry as asked", 897, 3],
  ["after two thirds when the signer made it shorter than that", 900, 600],
  ["after two thirds when the signer made it much shorter", 90_000, 600],
])("a certificate is renewed %s", (_what, renewBefore, expected) => {
  const issuedAt = new Date("2026-01-01T00:00:00Z");
  const notAfter = new Date(issuedAt.getTime() + (renewBefore === undefined ? 450 : 900) * 1000);
  expect((renewalDate({ notAfter, issuedAt }, renewBefore).getTime() - issuedAt.getTime()) / 1000).toBe(expected);
});

const outputs = {
  commonName: "gateway",
  issuedAt: "2026-01-01T00:00:00Z",
  notAfter: "2026-01-01T00:15:00Z",
} as SignedCertificateOutputs;

test.each<[string, string, number | undefined, string[], string[]]>([
  ["is not due before the last third of its lifetime", "00:09:59", undefined, [], []],
  ["is due in it", "00:10:00", undefined, ["renewAfter"], ["info: due for renewal since 2026-01-01T00:10:00Z"]],
  ["is due as long before its expiry as asked", "00:14:00", 60, ["renewAfter"], ["info: due for renewal since"]],
  ["is not due earlier than asked", "00:13:59", 60, [], []],
  ["has expired", "00:15:00", undefined, ["renewAfter", "notAfter"], ["warn: expired on 2026-01-01T00:15:00Z"]],
])("a certificate %s", (_what, time, renewBefore, expected, lines) => {
  const now = new Date(`2026-01-01T${time}Z`);
  const logged: string[] = [];
  const log = {
    info: (text: string) => logged.push(`info: ${text}`),
    warn: (text: string) => logged.push(`warn: ${text}`),
  };
  expect(dueProperties(outputs, renewBefore, now, { log } as unknown as Context)).toEqual(expected);
  expect(logged).toHaveLength(lines.length);
  for (const [index, line] of lines.entries()) {
    const [severity = "", text = ""] = line.split(": ");
    expect(logged[index]).toMatch(new RegExp(`^${severity}: .*"gateway".*${text}`));
  }
});

test("a certificate without a date counts as expired", () => {
  expect(hasExpired({}, new Date(0))).toBe(true);
});
