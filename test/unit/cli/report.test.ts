import { describe, expect, test } from "vitest";
import { readsNoSecrets } from "../../../cli/checks/forbidden.ts";
import { relativeTime } from "../../../cli/expiry.ts";
import { formatExpiries, formatFindings } from "../../../cli/report.ts";
import { KubeClient } from "../../../kubernetes/index.ts";
import { failure, localServer, testCa } from "../../support/server.ts";

const finding = async (user: string) => {
  await using server = await localServer((_request, response) =>
    failure(response, 403, "Forbidden", `secrets is forbidden: User "${user}" cannot list resource "secrets"`),
  );
  using client = KubeClient.direct({ server: server.url, caPem: testCa.certPem, token: "t" });
  return await readsNoSecrets(client, "The token reads no Secrets");
};

test("a credential that reads no Secrets is found by the API server's refusal", async () => {
  expect(await finding("jane")).toMatchObject({ holds: true, seen: "forbidden" });
});

test("a refusal of a request without a credential proves nothing about the credential", async () => {
  expect(await finding("system:anonymous")).toMatchObject({
    holds: false,
    seen: expect.stringContaining("No credential arrived"),
  });
});

describe("the report of a check", () => {
  const now = new Date("2026-01-10T12:00:00Z");

  test("marks each claim, and one that could not be checked with a question mark", () => {
    const findings = [
      { claim: "A", holds: true, seen: "accepted" },
      { claim: "B", holds: false, seen: "it was allowed" },
      { claim: "C", holds: null, seen: "forbidden" },
    ];
    expect(formatFindings(findings)).toBe("  ok    A  accepted\n  FAIL  B  it was allowed\n  ?     C  forbidden\n");
  });

  test("counts down to the expiry of each credential, and says which renewal is due", () => {
    const expiries = [
      { credential: "token", subject: "reviewer", notAfter: "" },
      { credential: "rancher", subject: "key", notAfter: "", unknown: true },
      { credential: "jane", subject: "jane", notAfter: "2026-01-20T12:00:00Z", renewAfter: "2026-01-15T12:00:00Z" },
      { credential: "joe", subject: "joe", notAfter: "2026-01-10T17:00:00Z", renewAfter: "2026-01-09T12:00:00Z" },
      {
        credential: "certificate",
        subject: "gateway",
        notAfter: "2026-01-07T12:00:00Z",
        renewAfter: "2026-01-01T12:00:00Z",
      },
    ];
    expect(formatExpiries(expiries, now)).toBe(
      [
        "  token        reviewer  does not expire\n",
        "  rancher      key       the expiry is not known\n",
        "  jane         jane      expires in 10 days (2026-01-20T12:00:00Z)\n",
        "  joe          joe       expires in 5 hours (2026-01-10T17:00:00Z); renewal is due, run `pulumi up`\n",
        "  certificate  gateway   expired 3 days ago (2026-01-07T12:00:00Z); run `pulumi up`\n",
      ].join(""),
    );
  });

  test("shows an expired credential in red and one whose renewal is due in yellow", () => {
    const terminal = { columns: 200, colors: true };
    const dates = (notAfter: string) => ({
      credential: "token",
      subject: "s",
      notAfter,
      renewAfter: "2026-01-09T12:00:00Z",
    });
    expect(formatExpiries([dates("2026-01-07T12:00:00Z")], now, terminal)).toContain("\u001b[31mexpired");
    expect(formatExpiries([dates("2026-01-11T12:00:00Z")], now, terminal)).toContain("\u001b[33mexpires");
  });

  test.each([
    [172_800, "in 2 days"],
    [172_799, "in 47 hours"],
    [7_199, "in 119 minutes"],
    [119, "in 119 seconds"],
    [1, "in 1 second"],
    [-90_000, "25 hours ago"],
  ])("a time in %d s is %j", (seconds, text) => {
    expect(relativeTime(new Date(now.getTime() + seconds * 1000), now)).toBe(text);
  });
});
