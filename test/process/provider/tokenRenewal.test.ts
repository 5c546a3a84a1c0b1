import { expect, test } from "vitest";
import { engine, plugin, reviewer } from "./pluginFixture.ts";

const inputs = {
  host: "https://k8s.example.com",
  namespace: "auth",
  serviceAccountName: "gateway-token-reviewer",
  serviceAccountUid: "u1",
  secretName: "gateway-token-reviewer-token",
  secretUid: "u2",
  mode: "tokenRequest",
  expirationSeconds: 3600,
};

const hours = (count: number) => `${new Date(Date.now() + count * 3_600_000).toISOString().slice(0, 19)}Z`;

/** Of a token whose last third began at `renewAfter`. */
function diff(notBefore: string, renewAfter: string, notAfter: string) {
  const olds = { kind: "TokenRequest", token: "not-shown", notBefore, notAfter, renewAfter };
  return plugin.diff(reviewer, "auth/gateway-token-reviewer-token", olds, inputs, inputs);
}

test("a token that is due for renewal is announced with its dates", async () => {
  const [from, since, until] = [hours(-5), hours(-1), hours(1)];
  expect(await diff(from, since, until)).toMatchObject({ changes: true, replaces: ["renewAfter"] });
  expect(engine.lines).toMatchObject([
    {
      severity: "info",
      message: `The token of ServiceAccount auth/gateway-token-reviewer is due for renewal since ${since}; it is valid until ${until}.`,
    },
  ]);
});

test("a token that has expired is a warning", async () => {
  const until = hours(-1);
  expect(await diff(hours(-4), hours(-2), until)).toMatchObject({ changes: true, replaces: ["renewAfter"] });
  expect(engine.lines).toMatchObject([
    {
      severity: "warning",
      message: `The token of ServiceAccount auth/gateway-token-reviewer expired on ${until}. The API server refuses it.`,
    },
  ]);
});
