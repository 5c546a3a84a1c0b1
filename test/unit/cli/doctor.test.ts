import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { examineCluster } from "../../../cli/doctor/cluster.ts";
import { formatDiagnoses } from "../../../cli/doctor/diagnosis.ts";
import { flows, rightsOf } from "../../../cli/doctor/flows.ts";
import { examineMachine } from "../../../cli/doctor/machine.ts";
import { doctorCommand } from "../../../cli/doctor.ts";
import { describeRight } from "../../../kubernetes/cluster/rights.ts";
import { KubeClient } from "../../../kubernetes/index.ts";
import { oldestVersion } from "../../../sandbox/pulumi/index.ts";
import { answer, closedPort, localServer, testCa } from "../../support/server.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "k8sauth-doctor-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Puts a shell script on the PATH of the machine that is examined. */
function script(name: string, text: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(folder, name), 0o755);
}

async function examined(subject: string) {
  const env = { HOME: folder, XDG_CACHE_HOME: folder, PATH: folder };
  return (await examineMachine(env)).find((diagnosis) => diagnosis.subject === subject);
}

describe("the machine", () => {
  test("without Node.js, Pulumi and Go fails with what to install", async () => {
    expect(await examined("Node.js")).toMatchObject({ status: "note", remedy: expect.stringContaining("npx --no") });
    expect(await examined("Pulumi CLI")).toMatchObject({
      status: "failed",
      seen: expect.stringContaining("SANDBOX_GO_MISSING"),
      remedy: expect.stringMatching(/Install Pulumi .*https.* Or install Go\./),
    });
    expect(await examined("Go")).toMatchObject({
      status: "note",
      remedy: expect.stringContaining("https://go.dev/dl/"),
    });
  });

  test("has the Node.js that plain pulumi would use", async () => {
    symlinkSync(process.execPath, join(folder, "node"));
    expect(await examined("Node.js")).toEqual({
      subject: "Node.js",
      status: "ok",
      seen: `${process.version}, ${process.execPath}`,
    });
  });

  test("with an older Node.js on the PATH is named with the version that is needed", async () => {
    script("node", `echo '{"version":"v20.1.0","features":{},"execPath":"/usr/bin/node"}'`);
    expect(await examined("Node.js")).toMatchObject({
      status: "note",
      seen: "v20.1.0, /usr/bin/node",
      remedy: expect.stringMatching(/needs Node\.js >= 24/),
    });
  });

  test("with an installed Pulumi needs no Go", async () => {
    script("pulumi", `echo v${oldestVersion}`);
    script("pulumi-language-nodejs", "exit 0");
    const seen = `${oldestVersion}, ${join(folder, "pulumi")}`;
    expect(await examined("Pulumi CLI")).toEqual({ subject: "Pulumi CLI", status: "ok", seen });
    expect(await examined("Go")).toMatchObject({ status: "note" });
  });

  test("with a Pulumi that is too old fails", async () => {
    script("pulumi", "echo v3.1.0");
    expect(await examined("Pulumi CLI")).toMatchObject({
      status: "failed",
      seen: expect.stringMatching(/is Pulumi 3\.1\.0.*Upgrade it/),
    });
  });
});

describe("the rights of a flow", () => {
  test("are those of its roles, in the namespace that is asked for", () => {
    const rights = rightsOf("token", "auth").map(describeRight);
    expect(rights).toContain('create serviceaccounts/token "gateway-token-reviewer" in namespace auth');
    expect(rights).toContain("create tokenreviews.authentication.k8s.io in the whole cluster");
  });

  test.each(flows)("%s are in examples/deployer-rights", (flow) => {
    expect(rightsOf(flow, "auth").length).toBeGreaterThan(10);
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

describe("k8sauth doctor", () => {
  const run = async (...args: string[]) => {
    let out = "";
    const env = { HOME: folder, XDG_CACHE_HOME: folder, PATH: folder };
    const io = {
      out: (text: string) => {
        out += text;
      },
      err: () => {},
      tty: false,
      env,
      signal: new AbortController().signal,
    };
    return { status: await doctorCommand.run(args, io), out };
  };

  test("of a machine without a kubeconfig examines the machine alone, and exits with 1 for what failed", async () => {
    const { status, out } = await run();
    expect(status).toBe(1);
    expect(out).toMatch(
      /^This machine\n.*FAIL {2}Pulumi CLI .*\nThe cluster\n {2}note {2}kubeconfig .*KUBECONFIG_NOT_FOUND/s,
    );
  });

  test("exits with 0 where nothing failed", async () => {
    script("pulumi", `echo v${oldestVersion}`);
    script("pulumi-language-nodejs", "exit 0");
    expect((await run()).status).toBe(0);
  });

  test("prints JSON on request, in which a kubeconfig that was named and is missing has failed", async () => {
    const { out } = await run("--json", "--kubeconfig", join(folder, "none"));
    expect(JSON.parse(out)).toMatchObject({
      machine: expect.arrayContaining([expect.objectContaining({ subject: "Go", status: "note" })]),
      cluster: [{ subject: "kubeconfig", status: "failed" }],
    });
  });

  test("refuses an unknown flow as wrong usage", async () => {
    await expect(run("--flow", "basic")).rejects.toThrow(
      'there is no flow "basic": expected token, certificate, verifier',
    );
  });
});
