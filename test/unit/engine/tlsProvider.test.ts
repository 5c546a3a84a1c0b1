import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { builtinProviders } from "../../../engine/builtins.ts";
import { TlsProvider } from "../../../engine/tls/provider.ts";
import { create, keyUrn, provider, requestUrn } from "./tlsFixtures.ts";

const urnOf = (type: string) => `urn:pulumi:dev::shop::tls:index/${type}::x`;

describe("the TLS provider", () => {
  it("is the engine's own for the package tls", () => {
    expect(builtinProviders({}).tls?.()).toBeInstanceOf(TlsProvider);
  });

  it.each(["selfSignedCert:SelfSignedCert", "locallySignedCert:LocallySignedCert"])(
    "refuses %s by name",
    async (type) => {
      const refusal = { code: "UNSUPPORTED", message: expect.stringContaining(`tls:index/${type}`) };
      const urn = urnOf(type);
      await expect(provider.check({ urn, olds: undefined, news: {} })).rejects.toMatchObject(refusal);
      await expect(provider.read({ urn, id: "x", inputs: {}, outputs: {} })).rejects.toMatchObject(refusal);
      await expect(provider.create({ urn, inputs: {}, preview: true })).rejects.toMatchObject(refusal);
    },
  );

  it("refuses keys that are not to be stored", async () => {
    const check = provider.check({ urn: requestUrn, olds: undefined, news: { privateKeyPemWo: "x" } });
    await expect(check).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  it("refuses settings that it would have to ignore", async () => {
    const check = (news: Record<string, string>) => provider.checkConfig({ urn: "x", olds: undefined, news });
    expect((await check({ version: "5.6.1" })).failures).toEqual([]);
    expect((await check({ proxy: "x" })).failures.map(({ property }) => property)).toEqual(["proxy"]);
  });

  it("finds on refresh what the state has, and changes nothing", async () => {
    const inputs = { algorithm: "ED25519" };
    const { id, outputs } = await create(keyUrn, inputs);
    expect(await provider.read({ urn: keyUrn, id, inputs, outputs })).toEqual({ inputs, outputs });
    const request = { urn: keyUrn, id, oldInputs: inputs, oldOutputs: outputs, newInputs: inputs, ignoreChanges: [] };
    expect(await provider.update({ ...request, preview: false })).toEqual(outputs);
  });

  it("loads no ASN.1 library until a request is made", () => {
    const script = `
      await import(${JSON.stringify(resolve("engine/tls/provider.ts"))});
      const { createRequire } = await import("node:module");
      const cache = Object.keys(createRequire(import.meta.url).cache);
      process.stdout.write(String(cache.some((file) => file.includes("node-forge"))));
    `;
    expect(execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" })).toBe("false");
  });
});
