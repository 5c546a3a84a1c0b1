import { describe, expect, test } from "vitest";
import type { Item } from "../../../../demo/akeyless/items.ts";
import { akeylessCertificate, type CertificateInputs } from "../../../../provider/akeyless/certificate.ts";
import { makeCertificate } from "../../../../sandbox/cluster/certificate.ts";
import { contextFor, failureOf, inputsOf, useGateway } from "../../../support/akeyless.ts";

const gateway = await useGateway();

function operate() {
  return contextFor(gateway.env).context;
}

describe("a registered certificate", () => {
  const resource = akeylessCertificate;
  const first = makeCertificate({ commonName: "reviewer" });
  const second = makeCertificate({ commonName: "reviewer" });
  const named = (more: Partial<CertificateInputs> = {}): CertificateInputs => ({
    apiUrl: gateway.publicApi,
    caPem: gateway.caPem,
    name: "/k8s/shop/certificate",
    certificatePem: first.certPem,
    expirationEventIn: ["30", "7"],
    ...more,
  });
  const made = async (given: CertificateInputs) => {
    const { id, outputs } = await resource.create(given, operate());
    gateway.calls.length = 0;
    return { id, inputs: given, outputs };
  };

  test("is sent as PEM with its days, and without a key", async () => {
    const { id, outputs } = await resource.create(named(), operate());
    expect(gateway.calls.find(({ command }) => command === "create-certificate")?.body).toEqual({
      name: "/k8s/shop/certificate",
      "certificate-data": Buffer.from(first.certPem.replaceAll("\r\n", "\n")).toString("base64"),
      format: "pem",
      "expiration-event-in": ["30", "7"],
    });
    expect(outputs).toMatchObject({ drift: [], fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}/) });
    expect(await resource.read({ id, inputs: named(), outputs }, operate())).toEqual({ id, outputs });
  });

  test("that was renewed becomes the item's new value", async () => {
    const state = await made(named());
    const renewed = named({ certificatePem: second.certPem });
    expect(await resource.diff(state, inputsOf(renewed), operate())).toEqual({ certificatePem: "update" });
    await resource.update(state, renewed, operate());
    expect(gateway.commands).toContain("update-certificate-value");
    expect(gateway.account.items.get(state.id)?.pem.trim()).toBe(second.certPem.replaceAll("\r\n", "\n").trim());
  });

  test.each<[string, Partial<Item>]>([
    ["certificatePem", { pem: second.certPem }],
    ["expirationEventIn", { days: ["1"] }],
    ["expirationEventIn", { days: [] }],
    ["description", { description: "theirs" }],
    ["tags", { tags: ["theirs"] }],
    ["deleteProtection", { deleteProtection: true }],
  ])("whose %s changed outside the stack shows on refresh and is healed", async (field, change) => {
    const state = await made(named({ description: "ours", tags: ["prod", "shop"], deleteProtection: false }));
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual([]);
    Object.assign(gateway.account.items.get(state.id) ?? expect.fail(), change);
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual([field]);
    const outputs = await resource.update(state, state.inputs, operate());
    expect((await resource.read({ ...state, outputs }, operate()))?.outputs.drift).toEqual([]);
  });

  test("that is gone shows on refresh, is created by the next update, and can be deleted twice", async () => {
    const state = await made(named());
    gateway.account.items.clear();
    expect(await resource.read(state, operate())).toBeUndefined();
    await resource.update(state, state.inputs, operate());
    expect(gateway.account.items.has(state.id)).toBe(true);
    await resource.delete?.(state, operate());
    await resource.delete?.(state, operate());
    expect(gateway.account.items.size).toBe(0);
  });

  test("changes its description and tags without a new version, and loses those no longer asked for", async () => {
    const state = await made(named({ description: "ours", tags: ["prod"] }));
    const changed = named({ tags: ["shop"] });
    expect(await resource.diff(state, inputsOf(changed), operate())).toEqual({ description: "update", tags: "update" });
    await resource.update(state, changed, operate());
    expect(gateway.account.items.get(state.id)).toMatchObject({ description: "", tags: ["shop"], version: 1 });
  });

  test.each(["chain", "nothing"] as const)(
    "whose description shows %s of it is compared by another way, and taken over after a killed run",
    async (shows) => {
      const state = await made(named());
      gateway.account.items.shows = shows;
      expect((await resource.read(state, operate()))?.outputs.drift).toEqual([]);
      expect((await made(named())).id).toBe(state.id);
      const taken = await failureOf(resource.create(named({ certificatePem: second.certPem }), operate()));
      expect(taken.code).toBe("AKEYLESS_NAME_TAKEN");
      Object.assign(gateway.account.items.get(state.id) ?? expect.fail(), { pem: second.certPem });
      expect((await resource.read(state, operate()))?.outputs.drift).toEqual(["certificatePem"]);
    },
  );

  test("whose certificate may not be read is no drift, and not taken over", async () => {
    const state = await made(named());
    gateway.account.items.shows = "nothing";
    gateway.permits = ({ command }) => command !== "get-certificate-value";
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual([]);
    const taken = await failureOf(resource.create(named(), operate()));
    expect(taken).toMatchObject({ code: "AKEYLESS_NAME_TAKEN", message: expect.stringContaining("does not show") });
    await resource.update(state, named({ certificatePem: second.certPem }), operate());
    expect(gateway.account.items.get(state.id)?.pem.trim()).toBe(second.certPem.replaceAll("\r\n", "\n").trim());
  });

  describe("warns that its notices may have no recipient", () => {
    const covering = { enabled: true, types: ["certificate-pending-expiration"], paths: ["/k8s/*"] };
    const warned = async (eventForwarder?: string) => {
      const { context, lines } = contextFor(gateway.env);
      await resource.create(named({ eventForwarder }), context);
      return lines.join("\n");
    };

    test.each([
      ["is not named", undefined, undefined, /no Event Forwarder is named.*set eventForwarder/],
      ["does not exist", undefined, "mail", /"mail" does not exist/],
      ["is disabled", { ...covering, enabled: false }, "mail", /"mail" is disabled/],
      ["sends other events", { ...covering, types: ["request-access"] }, "mail", /certificate-pending-expiration/],
      ["covers other paths", { ...covering, paths: ["/other/*"] }, "mail", /does not cover its path/],
    ])("when the Event Forwarder %s", async (_what, forwarder, name, warning) => {
      if (forwarder) gateway.account.forwarders.set("/mail", forwarder);
      expect(await warned(name)).toMatch(warning);
    });

    test("when the caller may not read it", async () => {
      gateway.permits = ({ command }) => command !== "event-forwarder-get";
      expect(await warned("mail")).toMatch(/could not be checked.*AKEYLESS|could not be checked.*does not permit/);
    });

    test("and not when it delivers them, or when there are none", async () => {
      gateway.account.forwarders.set("/mail", covering);
      expect(await warned("mail")).toBe("");
      const { context, lines } = contextFor(gateway.env);
      await resource.create(named({ name: "/other", expirationEventIn: [] }), context);
      expect(lines).toEqual([]);
    });
  });

  test("of a killed run is taken over, another one's is not", async () => {
    await made(named());
    expect((await made(named({ expirationEventIn: ["3"] }))).id).toBe("/k8s/shop/certificate");
    expect(gateway.account.items.get("/k8s/shop/certificate")?.days).toEqual(["3"]);
    const taken = await failureOf(resource.create(named({ certificatePem: second.certPem }), operate()));
    expect(taken.code).toBe("AKEYLESS_NAME_TAKEN");
  });

  test.each([
    ["a private key", { certificatePem: `${first.certPem}${first.keyPem}` }, "certificatePem"],
    ["no certificate", { certificatePem: "abc" }, "certificatePem"],
    ["no number of days", { expirationEventIn: ["30d"] }, "expirationEventIn"],
  ])("with %s is refused before anything is asked", async (_what, wrong, property) => {
    const failures = (await resource.check?.(inputsOf(named(wrong)))) ?? [];
    expect(failures.map((failure) => failure.property)).toEqual([property]);
    expect(JSON.stringify(failures)).not.toContain("BEGIN RSA");
  });
});
