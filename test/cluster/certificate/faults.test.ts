/** Faults on the way to the API server, caused by a proxy in front of the real one. */
import { describe, expect, test } from "vitest";
import type { Properties } from "../../support/plugin/properties.ts";
import type { FaultProxy } from "../../support/proxies/faultProxy.ts";
import {
  bound,
  certificateType,
  paths,
  proxiedInputs,
  type Request,
  removeRequests,
  requests,
  said,
  useBench,
} from "./fixture.ts";

const bench = useBench("certificate-faults");

const { collection, object, approval, any, selfReview } = paths;
const inputsOf = (request: Request, more: object = {}) => proxiedInputs(bench, request, more);

async function make(more: object = {}, request?: Request): Promise<Properties> {
  const inputs = inputsOf(request ?? (await bound(bench)), more);
  return (await bench.plugin.create(certificateType, inputs)).outputs;
}

describe("a certificate is signed despite faults on the way to the server, with one request", () => {
  const conflict = {
    status: 409,
    body: { kind: "Status", reason: "Conflict", message: "the object has been modified" },
  };
  test.each<[string, Parameters<FaultProxy["add"]>]>([
    [
      "429 with Retry-After on the request",
      [{ method: "POST", path: collection, times: 1, answer: { status: 429, headers: { "Retry-After": "1" } } }],
    ],
    [
      "503 on every first call",
      [
        { method: "POST", path: collection, times: 1, answer: { status: 503 } },
        { method: "PUT", path: approval, times: 1, answer: { status: 503 } },
        { method: "GET", path: object, times: 1, answer: { status: 503 } },
        { method: "DELETE", path: object, times: 1, answer: { status: 503 } },
      ],
    ],
    ["a reset before the request arrives", [{ method: "POST", path: collection, times: 1, cut: "before" }]],
    ["a reset after the request was taken", [{ method: "POST", path: collection, times: 1, cut: "after" }]],
    ["a reset after the approval was taken", [{ method: "PUT", path: approval, times: 1, cut: "after" }]],
    ["a reset after the deletion was done", [{ method: "DELETE", path: object, times: 1, cut: "after" }]],
    ["500 after the approval", [{ method: "PUT", path: approval, times: 1, answer: { status: 500 } }]],
    ["conflicts on the approval", [{ method: "PUT", path: approval, times: 3, answer: conflict }]],
    [
      "410 Gone and resets while it waits",
      [
        { method: "GET", path: object, times: 1, answer: { status: 410 } },
        { method: "GET", path: object, skip: 1, times: 1, cut: "before" },
      ],
    ],
  ])("%s", async (_what, faults) => {
    bench.proxy.add(...faults);
    expect((await make()).proved).toBe(true);
    expect(bench.proxy.outcomes(collection).filter((outcome) => outcome === "POST 201")).toHaveLength(1);
    expect(bench.proxy.outcomes(approval).filter((outcome) => outcome === "PUT 200")).toHaveLength(1);
    expect(await requests(bench.admin)).toEqual([]);
    expect(said(bench, "warning")).toMatch(/^Only pulumi up renews the certificate: [^\n]*$/);
  });

  test("a change by somebody else just before the approval, which is a real conflict", async () => {
    const before = async () => {
      const [{ metadata } = {}] = await requests(bench.admin);
      await bench.admin.request("PATCH", `/apis/certificates.k8s.io/v1/certificatesigningrequests/${metadata?.name}`, {
        body: { metadata: { annotations: { touched: "yes" } } },
        contentType: "application/merge-patch+json",
      });
    };
    bench.proxy.add({ method: "PUT", path: approval, times: 1, before });
    expect((await make()).proved).toBe(true);
    expect(bench.proxy.outcomes(approval)).toEqual(["PUT 409", "PUT 200"]);
  });

  test("a request that is deleted just before its approval, and made again", async () => {
    bench.proxy.add({ method: "PUT", path: approval, times: 1, before: () => removeRequests(bench.admin) });
    expect((await make()).proved).toBe(true);
    expect(bench.proxy.outcomes(collection).filter((outcome) => outcome === "POST 201")).toHaveLength(2);
    expect(said(bench, "warning")).toMatch(/was deleted before it had a certificate/);
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("a request that is deleted again and again is given up", async () => {
    bench.proxy.add({ method: "PUT", path: approval, before: () => removeRequests(bench.admin) });
    await expect(make()).rejects.toThrow(/CERTIFICATE_REQUEST_GONE.*3 times.*audit log/);
  });

  test("an answer that never comes is waited for no longer than the deadline says", async () => {
    bench.proxy.add({ method: "GET", path: object, hang: "before" });
    const started = performance.now();
    await expect(make({ timeoutSeconds: 2 })).rejects.toThrow(/KUBE_TIMEOUT.*too slow/);
    expect(performance.now() - started).toBeLessThan(8_000);
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("one answer that never comes is asked for again", async () => {
    bench.proxy.add({ method: "GET", path: object, times: 1, hang: "before" });
    expect((await make()).proved).toBe(true);
  });

  test("a conflict that does not end has its own error", async () => {
    bench.proxy.add({ method: "PUT", path: approval, answer: conflict });
    await expect(make({ timeoutSeconds: 1 })).rejects.toThrow(
      /CERTIFICATE_APPROVAL_CONFLICT.*object has been modified/,
    );
    expect(await requests(bench.admin)).toEqual([]);
  });
});

describe("an answer that cannot be one is an error, and nothing of it is shown", () => {
  test("HTML from something on the way", async () => {
    const page = { status: 200, text: "<html>token=hunter2</html>", headers: { "Content-Type": "text/html" } };
    bench.proxy.add({ method: "POST", path: collection, answer: page });
    const outcome = String(await make().catch((error: unknown) => error));
    expect(outcome).toMatch(/KUBE_NOT_JSON.*text\/html/);
    expect(outcome).not.toContain("hunter2");
  });

  test("JSON that is cut off; the request does not stay", async () => {
    bench.proxy.add({ method: "GET", path: object, text: (text) => text.slice(0, 100) });
    await expect(make()).rejects.toThrow(/KUBE_NOT_JSON.*application\/json/);
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("a refused login is not tried again", async () => {
    bench.proxy.add({ path: any, answer: { status: 401 } });
    await expect(make()).rejects.toThrow(/KUBE_UNAUTHORIZED.*user "tester"/);
    expect(bench.proxy.outcomes(any)).toEqual(["POST 401"]);
  });
});

describe("the gateway's way to the server", () => {
  /** The certificate goes through the proxy too. */
  async function throughProxy(more: object = {}, passOn = true) {
    const request = await bound(bench);
    bench.proxy.passOn(passOn ? request.keyPem : "");
    return { request, inputs: inputsOf(request, { host: bench.proxy.url, caPem: bench.proxy.caPem, ...more }) };
  }

  test.each(["tokenReview", "self"])(
    "to a server that cannot say who calls is proved all the same (%s)",
    async (proof) => {
      const { inputs } = await throughProxy({ proof });
      bench.proxy.add({ path: selfReview, answer: { status: 404 } });
      expect((await bench.plugin.create(certificateType, inputs)).outputs.proved).toBe(true);
    },
  );

  test("that drops client certificates is said to do so", async () => {
    const { inputs } = await throughProxy({}, false);
    await expect(bench.plugin.create(certificateType, inputs)).rejects.toThrow(
      /CERTIFICATE_REFUSED.*to "system:anonymous".*drops the client certificate/,
    );
    const other = await throughProxy({ proof: "self" }, false);
    await expect(bench.plugin.create(certificateType, other.inputs)).rejects.toThrow(
      /CERTIFICATE_REFUSED.*system:anonymous/,
    );
  });

  test("that drops them later is a change in diff, and no death", async () => {
    const { inputs } = await throughProxy();
    const { id, outputs } = await bench.plugin.create(certificateType, inputs);
    bench.proxy.passOn("");
    expect(await bench.plugin.diff(certificateType, id, outputs, inputs, inputs)).toMatchObject({
      diffs: ["proof"],
      replaces: [],
    });
    expect(said(bench, "warning")).toMatch(/system:anonymous/);
  });

  test("that hangs fails a diff within 3 s, or is no drift if `offline` is warn", async () => {
    const { inputs } = await throughProxy();
    const { id, outputs } = await bench.plugin.create(certificateType, inputs);
    bench.proxy.add({ path: selfReview, hang: "before" });
    const started = performance.now();
    await expect(bench.plugin.diff(certificateType, id, outputs, inputs, inputs)).rejects.toThrow(/KUBE_TIMEOUT/);
    expect(performance.now() - started).toBeLessThan(3_000);
    const offline = { ...inputs, offline: "warn" };
    expect(await bench.plugin.diff(certificateType, id, outputs, inputs, offline)).toMatchObject({ changes: false });
    expect(said(bench, "warning")).toMatch(/was not tried/);
  });
});
