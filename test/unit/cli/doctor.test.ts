import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { examineCluster } from "../../../cli/doctor/cluster.ts";
import { formatDiagnoses } from "../../../cli/doctor/diagnosis.ts";
import { flows, rightsOf, setupOf } from "../../../cli/doctor/flows.ts";
import { describeRight } from "../../../kubernetes/cluster/rights.ts";
import { KubeClient } from "../../../kubernetes/index.ts";
import { answer, closedPort, localServer, testCa } from "../../support/server.ts";

describe("the rights of a flow", () => {
  test("are those of its roles, in the namespace that is asked for", () => {
    const rights = rightsOf(setupOf("token", "auth")).map(describeRight);
    expect(rights).toContain('create serviceaccounts/token "gateway-token-reviewer" in namespace auth');
    expect(rights).toContain("create tokenreviews.authentication.k8s.io in the whole cluster");
  });

  test("are for the default those of a generated namespace", () => {
    const rights = rightsOf(setupOf("token", undefined)).map(describeRight);
    expect(rights).toContain('create serviceaccounts/token "gateway-token-reviewer" in the whole cluster');
    expect(rights).toContain("create namespaces in the whole cluster");
    expect(rightsOf(setupOf("verifier", undefined))).toEqual(rightsOf(setupOf("verifier", "gateway-auth")));
  });

  test.each(flows)("%s are in examples/deployer-rights", (flow) => {
    expect(rightsOf(setupOf(flow, "auth")).length).toBeGreaterThan(10);
  });
});

/** An API server of EKS that allows everything, and the time of its clock. */
function eks(date: string) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const reply = (body: object) => answer(response, 200, body, { Date: date });
    switch (request.url?.replace(/\?.*/, "")) {
      case "/version":
        return reply({ gitVersion: "v1.36.1-eks-1" });
      case "/apis/authentication.k8s.io/v1/selfsubjectreviews":
        return reply({ status: { userInfo: { username: "jane" } } });
      case "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
        return reply({ status: { allowed: true } });
      default:
        return answer(response, 404, { kind: "Status", reason: "NotFound", code: 404 });
    }
  };
}

describe("the cluster", () => {
  const now = new Date("2026-01-10T12:00:00Z");
  const options = { namespace: "auth", required: ["token", "certificate"], sign: true, now: () => now } as const;
  const examine = async (date: Date) => {
    await using server = await localServer(eks(date.toUTCString()));
    using client = KubeClient.direct({ server: server.url, caPem: testCa.certPem, token: "t" });
    return Object.fromEntries((await examineCluster(client, options)).map((found) => [found.subject, found]));
  };

  test("fails if it signs no client certificates and one is required, without a request", async () => {
    expect((await examine(now))["client certificates"]).toMatchObject({ status: "failed", seen: "EKS signs none" });
  });

  test.each([
    [4, "ok", "4 s behind"],
    [-4, "ok", "4 s ahead of"],
    [60, "failed", "60 s behind"],
    [-60, "failed", "60 s ahead of"],
  ])("whose clock is %d s ahead: %s", async (seconds, status, words) => {
    const { clock } = await examine(new Date(now.getTime() + seconds * 1000));
    expect(clock).toMatchObject({ status, seen: expect.stringContaining(words) });
  });

  test("that serves no discovery document has no known issuer, which is no failure", async () => {
    expect((await examine(now)).issuer).toMatchObject({ status: "note", seen: expect.stringContaining("404") });
  });

  test("that cannot be reached is one line with the code", async () => {
    const server = `https://127.0.0.1:${await closedPort()}`;
    using client = KubeClient.direct({ server, caPem: testCa.certPem, token: "t" });
    expect(await examineCluster(client, options)).toEqual([
      expect.objectContaining({
        subject: "API server",
        status: "failed",
        seen: expect.stringContaining("(KUBE_REFUSED)"),
      }),
    ]);
  });
});

test("a diagnosis has its remedy below it", () => {
  const diagnoses = [
    { subject: "clock", status: "ok", seen: "0 s" },
    { subject: "Go", status: "note", seen: "absent", remedy: "Install it." },
  ] as const;
  expect(formatDiagnoses(diagnoses)).toBe("  ok    clock  0 s\n  note  Go     absent\n               → Install it.\n");
});
