import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Plugin } from "../../support/plugin/plugin.ts";
import type { Properties } from "../../support/plugin/properties.ts";
import {
  bound,
  certificateInputs,
  certificateType,
  decide,
  makeRequest,
  posted,
  type Request,
  requests,
  said,
  until,
  useBench,
} from "./fixture.ts";

const bench = useBench("certificate-approval");

function inputsOf(request: Request, more: object = {}): Properties {
  return certificateInputs(bench.sandbox, bench.sandbox.kubeconfig, request, more);
}

async function made(request: Request, more: object = {}) {
  const inputs = inputsOf(request, more);
  const { id, outputs } = await bench.plugin.create(certificateType, inputs);
  return { id, outputs, inputs };
}

describe("external approval", () => {
  const external = { approval: "external" };

  test("says what to run, waits, and goes on when it is done", async () => {
    const work = made(await bound(bench), external);
    const { metadata } = await posted(bench.admin);
    const progress = () =>
      bench.engine.lines.some((line) => line.ephemeral && line.message.startsWith("Waiting for approval"));
    await until(progress);
    await decide(bench.admin, "Approved");
    expect((await work).outputs.proved).toBe(true);
    expect(said(bench, "info")).toContain(`kubectl certificate approve ${metadata.name}`);
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("that does not come ends with an error, and the next run goes on with the same request", async () => {
    const request = await bound(bench);
    await expect(made(request, { ...external, timeoutSeconds: 1 })).rejects.toThrow(
      /CERTIFICATE_NOT_APPROVED.*kubectl certificate approve k8sauth-.*same request/,
    );
    const { metadata } = await posted(bench.admin);
    const work = made(request, external);
    await sleep(300);
    expect((await requests(bench.admin)).map((left) => left.metadata?.uid)).toEqual([metadata.uid]);
    await decide(bench.admin, "Approved");
    expect((await work).outputs.proved).toBe(true);
  });

  test("that came between two runs is collected by the second", async () => {
    const request = await bound(bench);
    await expect(made(request, { ...external, timeoutSeconds: 1 })).rejects.toThrow(/CERTIFICATE_NOT_APPROVED/);
    await decide(bench.admin, "Approved");
    expect((await made(request, external)).outputs.proved).toBe(true);
    expect(said(bench, "info")).toMatch(/earlier run/);
  });

  test("that is denied fails at once with the reason, and again as long as the denial stands", async () => {
    const request = await bound(bench);
    const work = made(request, external);
    const outcome = work.catch((error: unknown) => String(error));
    await posted(bench.admin);
    await decide(bench.admin, "Denied", "not this one");
    expect(await outcome).toMatch(/CERTIFICATE_DENIED.*ByATest: not this one.*kubectl delete csr/);
    await expect(made(request, external)).rejects.toThrow(/CERTIFICATE_DENIED/);
    await expect(made(request)).rejects.toThrow(/CERTIFICATE_DENIED/);
  });

  test("of a request whose user may not review is lost, and the next one needs another", async () => {
    const work = made(await makeRequest(), external);
    const outcome = work.catch((error: unknown) => String(error));
    const { metadata } = await posted(bench.admin);
    await decide(bench.admin, "Approved");
    expect(await outcome).toMatch(/CERTIFICATE_MAY_NOT_REVIEW/);
    expect(await requests(bench.admin)).toEqual([]);
    expect(said(bench, "warning")).toContain(
      `${metadata.name} was deleted. The next up creates it again with the same name, and it needs a new approval.`,
    );
  });

  test("of a request that is deleted meanwhile is asked for again", async () => {
    const work = made(await bound(bench), external);
    const first = await posted(bench.admin);
    await bench.admin.delete(`/apis/certificates.k8s.io/v1/certificatesigningrequests/${first.metadata.name}`);
    const second = await posted(bench.admin);
    expect(second.metadata).not.toMatchObject({ uid: first.metadata.uid });
    await decide(bench.admin, "Approved");
    expect((await work).outputs.proved).toBe(true);
  });

  test("is cancelled within 2 s, and the request stays for the next run; destroy takes it away", async () => {
    const own = await Plugin.start(bench.engine);
    const request = await bound(bench);
    const outcome = own.create(certificateType, inputsOf(request, external)).catch((error: unknown) => String(error));
    await posted(bench.admin);
    const started = performance.now();
    await own.cancel();
    expect(await outcome).toMatch(/CANCELLED/);
    expect(performance.now() - started).toBeLessThan(2_000);
    await own[Symbol.asyncDispose]();
    expect(await requests(bench.admin)).toHaveLength(1);
    await bench.plugin.delete(certificateType, "x", {}, inputsOf(request, external));
    expect(await requests(bench.admin)).toEqual([]);
  });
});

describe("a cluster whose signer does not answer", () => {
  beforeAll(() => bench.sandbox.component("kube-controller-manager").pause());
  afterAll(() => bench.sandbox.component("kube-controller-manager").resume());

  test("is an error that names the signer; the approved request does not stay", async () => {
    const work = made(await bound(bench), { timeoutSeconds: 2 });
    await expect(work).rejects.toThrow(/CERTIFICATE_NOT_ISSUED.*kube-apiserver-client.*--cluster-signing-cert-file/);
    expect(bench.engine.lines).toContainEqual(
      expect.objectContaining({ ephemeral: true, message: expect.stringMatching(/to sign k8sauth-/) }),
    );
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("can be left: cancel ends the wait within 2 s, and takes the approved request away", async () => {
    const own = await Plugin.start(bench.engine);
    const outcome = own.create(certificateType, inputsOf(await bound(bench))).catch((error: unknown) => String(error));
    await posted(bench.admin);
    await sleep(200);
    const started = performance.now();
    await own.cancel();
    expect(await outcome).toMatch(/CANCELLED/);
    expect(performance.now() - started).toBeLessThan(2_000);
    await own[Symbol.asyncDispose]();
    expect(await requests(bench.admin)).toEqual([]);
  });

  test("and whose approval somebody else gave keeps the request for the next run", async () => {
    const work = made(await bound(bench), { approval: "external", timeoutSeconds: 2 });
    const outcome = work.catch((error: unknown) => String(error));
    await posted(bench.admin);
    await decide(bench.admin, "Approved");
    expect(await outcome).toMatch(/CERTIFICATE_NOT_ISSUED.*same request/);
    expect(await requests(bench.admin)).toHaveLength(1);
  });
});
