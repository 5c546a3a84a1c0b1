import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { addressOf, examineGateway, gatewayCheck } from "../../../cli/doctor/gateway.ts";
import { doctorCommand } from "../../../cli/doctor.ts";
import { limitedReason, networks } from "../../../kubernetes/cluster/hostReach.ts";
import { KubeClient } from "../../../kubernetes/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { answer, closedPort, failure, type Handler, localServer, testCa } from "../../support/server.ts";

const otherCa = makeCertificate({ commonName: "other-ca" });
const certificateFor = (...names: string[]) => makeCertificate({ commonName: "server", issuer: testCa, names });

/** An API server whose Services are in 10.96.0.0/16. */
const apiServer: Handler = (request, response) => {
  switch (request.url?.replace(/\?.*/, "")) {
    case "/version":
      return answer(response, 200, { gitVersion: "v1.36.0" });
    case "/apis/networking.k8s.io/v1/servicecidrs":
      return answer(response, 200, { items: [{ spec: { cidrs: ["10.96.0.0/16", "fd00:1::/108"] } }] });
    default:
      return failure(response, 403, "Forbidden", 'User "jane" cannot get this');
  }
};

interface Choice {
  readonly server?: string;
  readonly host?: string;
  readonly caPem?: string;
  readonly allowLoopback?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

/** The diagnoses by subject. */
async function examine({ server = "", host = server, caPem = testCa.certPem, allowLoopback = false, env }: Choice) {
  using client = KubeClient.direct({ server, caPem: testCa.certPem, token: "t" }, {}, env);
  const target = { host, caPem, allowLoopback, fromKubeconfig: host === server };
  const options = {
    machine: hostname(),
    printCheck: "k8sauth doctor --gateway-check",
    signal: AbortSignal.timeout(20_000),
  };
  return Object.fromEntries((await examineGateway(client, target, options)).map((found) => [found.subject, found]));
}

describe("the gateway's host", () => {
  test("on loopback fails, with the names of the server's certificate that a gateway may reach", async () => {
    const local = ["127.0.0.1", "::1", "localhost", "kubernetes.default.svc", "10.96.0.1"];
    const names = [...local, "192.0.2.7", "api.example.com"];
    await using server = await localServer(apiServer, certificateFor(...names));
    expect(await examine({ server: server.url })).toEqual({
      host: {
        subject: "host",
        status: "failed",
        seen: `${server.url} (the kubeconfig's server) is a loopback address`,
        remedy: expect.stringMatching(
          /^Set `kubernetesHost` to .* The server's certificate is also for (192\.0\.2\.7, api\.example\.com|api\.example\.com, 192\.0\.2\.7)\. .*`allowLoopbackHost`/,
        ),
      },
    });
  });

  test("on loopback is accepted for a gateway on this machine, where all is tested", async () => {
    await using server = await localServer(apiServer);
    expect(await examine({ server: server.url, allowLoopback: true })).toEqual({
      host: expect.objectContaining({ status: "note", seen: expect.stringContaining("for a gateway on this machine") }),
      connection: {
        subject: "connection",
        status: "ok",
        seen: 'from this machine: the CA\'s certificate for "127.0.0.1", and an API server',
      },
    });
  });

  test("that only pods resolve fails", async () => {
    await using server = await localServer(apiServer);
    const { host } = await examine({ server: server.url, host: "https://kubernetes.default.svc" });
    expect(host).toMatchObject({ status: "failed", seen: expect.stringContaining("only pods of the cluster") });
  });
});

describe("the connection to the host", () => {
  const connection = async (choice: Choice) => (await examine({ allowLoopback: true, ...choice })).connection;

  test("fails if the certificate does not carry the name", async () => {
    await using server = await localServer(apiServer, certificateFor("api.example.com"));
    expect(await connection({ server: server.url })).toMatchObject({
      status: "failed",
      seen: expect.stringMatching(/not for "127\.0\.0\.1"; it is for DNS:api\.example\.com\. \(KUBE_TLS_NAME\)/),
      remedy: expect.stringContaining('issue the certificate for "127.0.0.1" too'),
    });
  });

  test("fails if another CA signed the certificate", async () => {
    await using server = await localServer(apiServer);
    expect(await connection({ server: server.url, caPem: otherCa.certPem })).toMatchObject({
      status: "failed",
      seen: expect.stringContaining("KUBE_TLS_UNTRUSTED"),
      remedy: expect.stringContaining("`kubernetesCa`"),
    });
  });

  test("fails if nothing listens, and says what to do if only the gateway reaches the host", async () => {
    await using server = await localServer(apiServer);
    expect(await connection({ server: server.url, host: `https://127.0.0.1:${await closedPort()}` })).toMatchObject({
      status: "failed",
      seen: expect.stringContaining("KUBE_REFUSED"),
      remedy: expect.stringContaining("set `proveHost` to false"),
    });
  });

  test("names the proxy that only this machine has, without its password", async () => {
    await using server = await localServer(apiServer);
    const env = { HTTPS_PROXY: "http://jane:secret@proxy.example:3128" };
    const found = await examine({ server: server.url, host: "https://k8s.invalid:6443", env });
    expect(found).toMatchObject({
      address: { status: "failed", seen: expect.stringMatching(/^this machine cannot resolve the name \(E/) },
      connection: { status: "failed", seen: expect.stringContaining("KUBE_UNREACHABLE_DNS") },
      proxy: { status: "note", seen: expect.stringContaining("http://proxy.example:3128 (HTTPS_PROXY of this shell)") },
      "from the gateway": {
        status: "unknown",
        seen: `not tested: doctor runs on ${hostname()}`,
        remedy: expect.stringContaining("`k8sauth doctor --gateway-check | ssh GATEWAY sh`"),
      },
    });
    expect(JSON.stringify(found)).not.toContain("secret");
  });
});

describe("the address of the host", () => {
  test.each([
    ["https://203.0.113.5:6443", "ok", "a public address"],
    ["https://10.1.2.3:6443", "note", "a private address"],
    ["https://[fd12::1]:6443", "note", "a private address"],
    ["https://10.96.0.1", "failed", "an address of the cluster's Services"],
    ["https://[fd00:1::1]", "failed", "an address of the cluster's Services"],
    ["https://k8s.invalid", "failed", "cannot resolve the name"],
  ])("%s: %s", async (host, status, words) => {
    const found = await addressOf({ host }, networks(["10.96.0.0/16", "fd00:1::/108", "malformed"]));
    expect(found).toMatchObject({ status, seen: expect.stringContaining(words) });
  });

  test.each([
    ["api.example.com", undefined],
    ["203.0.113.5", undefined],
    ["100.64.0.1", "a private address"],
    ["k8s", "a name without a domain"],
    ["k8s.local", "a name of multicast DNS, which works in one local network"],
    ["k8s.corp.internal.", "a name in .internal, which only private resolvers know"],
    ["internal.example.com", undefined],
  ])("%s is limited: %s", (name, reason) => {
    expect(limitedReason(name)).toBe(reason);
  });
});

describe("the command for the gateway's machine", () => {
  const kubeconfigOf = (server: string) => {
    const cluster = { server, "certificate-authority-data": Buffer.from(testCa.certPem).toString("base64") };
    return JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user: { token: "a-secret-token" } }],
    });
  };
  async function run(...args: string[]) {
    let out = "";
    const keep = (text: string) => {
      out += text;
    };
    const io = { out: keep, err: keep, tty: false, env: {}, signal: AbortSignal.timeout(20_000) };
    return { status: await doctorCommand.run(args, io), out };
  }

  /** Runs it as `ssh GATEWAY sh` does. */
  async function sh(script: string) {
    const child = spawn("sh");
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.stdin.end(script);
    const [status] = await once(child, "close");
    return { status, output };
  }

  test("has the version if host and CA are right", async () => {
    await using server = await localServer(apiServer);
    const script = gatewayCheck({ host: server.url, caPem: testCa.certPem });
    expect(await sh(script)).toEqual({ status: 0, output: expect.stringContaining("v1.36.0") });
  });

  test("fails as curl does if another CA signed the certificate", async () => {
    await using server = await localServer(apiServer);
    const script = gatewayCheck({ host: server.url, caPem: otherCa.certPem });
    expect(await sh(script)).toEqual({ status: 60, output: expect.stringContaining("certificate") });
  });

  test("is one word for each part of a host with quotes", () => {
    expect(gatewayCheck({ host: "https://a.example/b'c", caPem: "" })).toContain("'https://a.example/b'\\''c/version'");
  });

  test("of doctor contains host and CA", async () => {
    await using server = await localServer(apiServer);
    const { out } = await run("--gateway-check", "--kubeconfig", kubeconfigOf(server.url));
    expect(out).toBe(gatewayCheck({ host: server.url, caPem: testCa.certPem.replaceAll("\r\n", "\n") }));
    expect(server.requests).toEqual([]);
  });

  test("refuses a host that is not an https URL as wrong usage", async () => {
    const args = ["--gateway-check", "--kubeconfig", kubeconfigOf("https://127.0.0.1:1"), "--host", "http://a.example"];
    await expect(run(...args)).rejects.toThrow(/^The server of --host is http:\/\/a\.example, which is not encrypted/);
  });
});
