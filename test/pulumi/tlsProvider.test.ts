import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pluginVersions } from "../../sandbox/pulumi/programs.ts";
import { beside } from "./machine.ts";
import { keyUrn, requestUrn, TlsPlugin } from "./tlsPlugin.ts";

let plugin: TlsPlugin;
beforeAll(async () => {
  plugin = await TlsPlugin.start();
});
afterAll(() => plugin[Symbol.asyncDispose]());

const urnOf = (type: string) => `urn:pulumi:dev::shop::tls:index/${type}::x`;

describe("the stand-in for Pulumi's tls plugin", () => {
  it("has the version of the plugin whose place it takes", async () => {
    expect(await plugin.version()).toBe(pluginVersions.tls);
  });

  it("takes and gives marked secrets, and takes part in previews", async () => {
    expect(await plugin.configure()).toMatchObject({ acceptsecrets: true, supportspreview: true });
  });

  it.each(["selfSignedCert:SelfSignedCert", "locallySignedCert:LocallySignedCert"])(
    "refuses %s by name",
    async (type) => {
      const refusal = {
        code: status.UNIMPLEMENTED,
        details: expect.stringMatching(
          new RegExp(`does not have the resource type tls:index/${type}\\. Install Pulumi`),
        ),
      };
      const urn = urnOf(type);
      await expect(plugin.check(urn, {})).rejects.toMatchObject(refusal);
      await expect(plugin.read(urn, "x", {}, {})).rejects.toMatchObject(refusal);
      await expect(plugin.replaces(urn, {}, {})).rejects.toMatchObject(refusal);
      await expect(plugin.create(urn, {}, true)).rejects.toMatchObject(refusal);
    },
  );

  it("refuses data sources by name", async () => {
    await expect(plugin.invoke("tls:index/getCertificate:getCertificate")).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
      details: expect.stringContaining("does not have the function tls:index/getCertificate:getCertificate"),
    });
  });

  it("refuses keys that are not to be stored", async () => {
    expect(await plugin.refused(requestUrn, { privateKeyPemWo: "x" })).toEqual(["privateKeyPemWo", "privateKeyPem"]);
  });

  it("refuses settings that it would have to ignore", async () => {
    const refused = async (news: Record<string, string>) =>
      (await plugin.checkConfig(news)).failures.map(({ property }) => property);
    expect(await refused({ version: "5.6.1", __internal: "{}" })).toEqual([]);
    expect(await refused({ proxy: "x" })).toEqual(["proxy"]);
  });

  it("finds on refresh what the state has, and deletes without a trace elsewhere", async () => {
    const inputs = { algorithm: "ECDSA", ecdsaCurve: "P256" };
    const { id, outputs } = await plugin.create(keyUrn, inputs);
    expect(await plugin.read(keyUrn, id, inputs, outputs)).toEqual({ id, inputs, outputs });
    await plugin.delete(keyUrn, id, outputs);
  });

  it("ends with the process that started it", async () => {
    const script = `'${beside("pulumi-resource-tls")}' & wait`;
    const starter = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] });
    const lines: string[] = [];
    // Standard output stays open until the plugin has ended.
    for await (const line of createInterface(starter.stdout)) {
      lines.push(line);
      if (lines.length === 1) starter.kill("SIGKILL");
    }
    const [port] = lines;
    const [refused] = await once(connect(Number(port), "127.0.0.1"), "error");
    expect(refused).toMatchObject({ code: "ECONNREFUSED" });
  });
});
