import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { startSandbox } from "../../../sandbox/index.ts";
import { secretOf, unknownMark } from "../../support/plugin/properties.ts";
import { answer, closedPort, localServer } from "../../support/server.ts";
import { bindingOf, bindingPath, clusterType, fresh, kubeconfigFor, tcpProxy } from "../providerFixture.ts";
import { admin, crb, disposable, engine, inputs, plugin, sandbox } from "./resourceFixture.ts";

describe("facts", () => {
  test("are those of the server, and the kubeconfig is none of them", async () => {
    const { id, outputs } = await plugin.create(clusterType, inputs());
    const kubeSystem = await admin.get("/api/v1/namespaces/kube-system");
    expect(id).toBe(kubeSystem.metadata?.uid);
    expect(outputs).toEqual({
      host: sandbox.server,
      caSource: "kubeconfig",
      caPem: sandbox.caPem.replaceAll("\r", ""),
      caFingerprint: new X509Certificate(sandbox.caPem).fingerprint256,
      issuer: sandbox.issuer,
      issuerNote: "",
      jwks: expect.stringContaining('"keys"'),
      version: expect.stringMatching(/^v1\.\d+/),
      distribution: "Kubernetes",
      uid: id,
      reservedNames: [],
    });
  });

  test("a preview of a reachable cluster has them too", async () => {
    const made = await plugin.create(clusterType, inputs(), { preview: true });
    expect(Object.values(made.outputs)).not.toContain(unknownMark);
    expect(made.id).toBe(made.outputs.uid);
    expect(engine.lines).toEqual([]);
  });

  test("a second look finds no drift, and a refresh the same facts", async () => {
    const given = inputs({ reservedNames: [crb(fresh("free"))], rights: [{ verb: "get", resource: "pods" }] });
    const { id, outputs } = await plugin.create(clusterType, given);
    expect(await plugin.diff(clusterType, id, outputs, given, given)).toMatchObject({ changes: false });
    expect(await plugin.read(clusterType, id, outputs, given)).toMatchObject({ id, outputs });
  });

  test("drift of issuer, CA and version is an update of those", async () => {
    const given = inputs();
    const { id, outputs } = await plugin.create(clusterType, given);
    const olds = {
      ...outputs,
      issuer: "https://before",
      version: "v1.30.0",
      caPem: makeCertificate({ commonName: "x" }).certPem,
    };
    const diff = await plugin.diff(clusterType, id, olds, given, given);
    expect(diff).toMatchObject({ changes: true, replaces: [] });
    expect([...diff.diffs].sort()).toEqual(["caPem", "issuer", "version"]);
    expect(await plugin.update(clusterType, id, olds, given, given)).toEqual(outputs);
  });

  test("a bundle of several CAs passes through, also from a kubeconfig", async () => {
    const bundle = `${makeCertificate({ commonName: "old-ca" }).certPem.replaceAll("\r", "")}${sandbox.caPem}`;
    const user = await sandbox.issueClientCertificate({ commonName: "a", organizations: ["system:masters"] });
    const kubeconfig = secretOf(kubeconfigFor(sandbox.server, bundle, user));
    const { outputs } = await plugin.create(clusterType, inputs({ kubeconfig }));
    expect(String(outputs.caPem).match(/BEGIN CERTIFICATE/g)?.length).toBe(2);
    expect(outputs.caFingerprint).toBe(new X509Certificate(bundle).fingerprint256);
  });

  test("an import by its id finds them as well, and another id is refused", async () => {
    const { id, outputs } = await plugin.create(clusterType, inputs());
    expect(await plugin.read(clusterType, id, {}, inputs())).toMatchObject({ id, outputs });
    await expect(plugin.read(clusterType, "another", {}, inputs())).rejects.toThrow(/CLUSTER_OTHER/);
  });
});

describe("a stack belongs to one cluster", () => {
  test("a kubeconfig of another one is refused with both identities", async () => {
    const { outputs } = await plugin.create(clusterType, inputs());
    const olds = { ...outputs, uid: "11111111-2222-3333-4444-555555555555" };
    const work = plugin.diff(clusterType, olds.uid, olds, inputs(), inputs());
    await expect(work).rejects.toThrow(/CLUSTER_OTHER.*11111111-2222.*/);
    await expect(plugin.read(clusterType, olds.uid, olds, inputs())).rejects.toThrow(new RegExp(String(outputs.uid)));
  });
});

describe("the host for the gateway", () => {
  test("is not a loopback address unless that is allowed", async () => {
    const kubeconfig = secretOf(sandbox.kubeconfig);
    await expect(plugin.create(clusterType, { kubeconfig, allowLoopback: false, proveHost: true })).rejects.toThrow(
      /CLUSTER_HOST_LOOPBACK.*allowLoopback/,
    );
    await expect(
      plugin.create(clusterType, { kubeconfig, allowLoopback: false, proveHost: true }, { preview: true }),
    ).rejects.toThrow(/CLUSTER_HOST_LOOPBACK/);
  });

  test("that shows another certificate is refused", async () => {
    await using other = await localServer((_request, response) => answer(response, 200, {}));
    await expect(plugin.create(clusterType, inputs({ host: other.url }))).rejects.toThrow(
      /CLUSTER_HOST_PROOF_FAILED.*KUBE_TLS_UNTRUSTED/,
    );
  });

  test("whose certificate carries another name is refused, with the names that it carries", async () => {
    await using proxy = await tcpProxy(sandbox.server, "127.0.0.2");
    await expect(plugin.create(clusterType, inputs({ host: proxy.url }))).rejects.toThrow(
      /CLUSTER_HOST_PROOF_FAILED.*KUBE_TLS_NAME.*127\.0\.0\.2.*localhost/s,
    );
    const { outputs } = await plugin.create(clusterType, inputs({ host: proxy.url, proveHost: false }));
    expect(outputs.host).toBe(proxy.url);
  });

  test("that refuses, does not resolve or stays silent: three different errors", async () => {
    await using silent = await localServer(() => {});
    const host = `https://127.0.0.1:${await closedPort()}`;
    await expect(plugin.create(clusterType, inputs({ host }))).rejects.toThrow(/KUBE_REFUSED/);
    await expect(plugin.create(clusterType, inputs({ host: "https://no-such-host.invalid" }))).rejects.toThrow(
      /KUBE_UNREACHABLE_DNS/,
    );
    const caPem = silent.ca.certPem;
    await expect(plugin.create(clusterType, inputs({ host: silent.url, caPem }), { timeout: 1 })).rejects.toThrow(
      /KUBE_TIMEOUT/,
    );
  });

  test("that leads to the same server by another way is proved and kept", async () => {
    await using proxy = await tcpProxy(sandbox.server);
    const { outputs } = await plugin.create(clusterType, inputs({ host: proxy.url }));
    expect(outputs.host).toBe(proxy.url);
  });
});

describe("names that were asked for", () => {
  test("a binding that exists is refused with the role that it has", async () => {
    const name = fresh("taken");
    await admin.create(bindingPath(), bindingOf(name, "default", "default", "view"));
    await expect(plugin.create(clusterType, inputs({ reservedNames: [crb(name)] }))).rejects.toThrow(
      /CLUSTER_NAME_TAKEN.*bound to ClusterRole "view"/,
    );
  });

  test("those of this stack are not checked again, new ones are", async () => {
    const name = fresh("ours");
    const given = inputs({ reservedNames: [crb(name)] });
    const { id, outputs } = await plugin.create(clusterType, given);
    await admin.create(bindingPath(), bindingOf(name, "default", "default", "view"));
    expect(await plugin.diff(clusterType, id, outputs, given, given)).toMatchObject({ changes: false });
    const more = inputs({ reservedNames: [crb(name), crb(fresh("new"))] });
    expect(await plugin.diff(clusterType, id, outputs, given, more)).toMatchObject({
      diffs: ["reservedNames"],
      replaces: [],
    });
    expect(await plugin.update(clusterType, id, outputs, given, more)).toMatchObject({
      reservedNames: [crb(name), {}],
    });
    const taken = fresh("taken");
    await admin.create(bindingPath(), bindingOf(taken, "default", "default", "view"));
    await expect(plugin.diff(clusterType, id, outputs, given, inputs({ reservedNames: [crb(taken)] }))).rejects.toThrow(
      /CLUSTER_NAME_TAKEN/,
    );
  });

  test("one that is no longer asked for is this stack's until its object is gone", async () => {
    const name = fresh("first");
    const first = inputs({ reservedNames: [crb(name)] });
    const second = inputs({ reservedNames: [crb(fresh("second"))] });
    const { id, outputs } = await plugin.create(clusterType, first);
    await admin.create(bindingPath(), bindingOf(name, "default", "default", "view"));
    const renamed = await plugin.update(clusterType, id, outputs, first, second);
    expect(await plugin.update(clusterType, id, renamed, second, first)).toMatchObject({
      reservedNames: [crb(name)],
    });
    await admin.delete(bindingPath(name));
    const settled = await plugin.update(clusterType, id, renamed, second, inputs());
    expect(settled).toMatchObject({ reservedNames: [] });
    await admin.create(bindingPath(), bindingOf(name, "default", "default", "view"));
    await expect(plugin.update(clusterType, id, settled, inputs(), first)).rejects.toThrow(/CLUSTER_NAME_TAKEN/);
  });
});

test("an issuer that switches discovery off is said, with the reason", async () => {
  await using other = await disposable(startSandbox({ name: "provider-api", ephemeral: true, issuer: "api" }));
  const kubeconfig = secretOf(readFileSync(other.sandbox.kubeconfig, "utf8"));
  const { outputs } = await plugin.create(clusterType, inputs({ kubeconfig }));
  expect(outputs).toMatchObject({ issuer: "", issuerNote: expect.stringContaining("404") });
});
