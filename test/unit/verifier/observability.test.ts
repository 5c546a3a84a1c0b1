import { afterAll, describe, expect, test } from "vitest";
import { apiServer, apiSettings, ask, Folder, keySettings, until, type Verifier, verifier } from "./support.ts";
import { mint } from "./tokens.ts";

const folder = new Folder();
afterAll(() => folder[Symbol.dispose]());

/** With a key from a file. */
function keyed(more: object = {}): Promise<Verifier> {
  return verifier(keySettings(folder, more));
}

describe("the port for kubelet and Prometheus", () => {
  const admin = (one: Verifier, path: string) => ask(one.service.adminPort, undefined, {}, "GET", path);
  test("is alive at once, and ready once there are keys", async () => {
    await using api = await apiServer();
    api.outage = 503;
    await using one = await verifier(apiSettings(api, folder, { mode: "oidc-discovery" }), {
      realTime: true,
      unready: true,
    });
    expect((await admin(one, "/livez")).status).toBe(200);
    await until(async () => (await admin(one, "/readyz")).status === 503, "it is unready");
    const early = await one.ask(mint());
    expect(early.status).toBe(503);
    api.outage = undefined;
    await until(async () => (await admin(one, "/readyz")).status === 200, "it is ready", 3_000);
  });
  test("counts what happens, without tokens", async () => {
    await using one = await keyed();
    const token = mint();
    await one.ask(token);
    await one.ask(token);
    await one.ask(mint({ aud: "other" }));
    await one.ask();
    const { body, headers } = await admin(one, "/metrics");
    expect(headers["content-type"]).toContain("text/plain; version=0.0.4");
    expect(body).toContain(
      'k8sauth_verifier_decisions_total{status="200",reason="",issuer="https://issuer.example"} 2',
    );
    expect(body).toContain('k8sauth_verifier_decisions_total{status="401",reason="wrong_audience",issuer=""} 1');
    expect(body).toContain('k8sauth_verifier_decisions_total{status="401",reason="no_token",issuer=""} 1');
    expect(body).toContain('k8sauth_verifier_lookups_total{result="accepted"} 1');
    expect(body).toContain('k8sauth_verifier_keys{issuer="https://issuer.example"} 1');
    expect(body).toMatch(/process_resident_memory_bytes \d{7,}/);
    expect(body).not.toContain("eyJ");
  });
  test("knows nothing else", async () => {
    await using one = await keyed();
    expect((await admin(one, "/")).status).toBe(404);
    expect((await ask(one.service.adminPort, undefined, {}, "POST", "/metrics")).status).toBe(405);
  });
});

describe("the log", () => {
  test("has a line for each refusal, with reason and request id, and never any part of a token", async () => {
    await using one = await keyed({ allow: ["other/*"] });
    const tokens = [mint(), mint({ aud: "other" }), "x.y.z", mint({ sub: "alice\nforged line" })];
    for (const token of tokens) await one.ask(token, { "X-Request-Id": "r-1" });
    const refused = one.lines.filter(({ msg }) => msg === "refused");
    expect(refused.map(({ reason, requestId }) => [reason, requestId])).toEqual([
      ["not_allowed", "r-1"],
      ["wrong_audience", "r-1"],
      ["malformed_token", "r-1"],
      ["not_a_service_account", "r-1"],
    ]);
    expect(refused[0]).toMatchObject({ level: "info", status: 403, subject: "system:serviceaccount:team-a:web" });
    const text = JSON.stringify(one.lines);
    for (const token of tokens)
      for (const part of token.split(".")) if (part.length > 3) expect(text).not.toContain(part);
    expect(text).not.toContain("alice");
  });
  test("lets no flood of refusals through", async () => {
    await using one = await keyed();
    await Promise.all(Array.from({ length: 200 }, (_, at) => one.ask(`x.y.${at}`)));
    expect(one.lines.filter(({ msg }) => msg === "refused")).toHaveLength(50);
    one.clock?.advance(1_000);
    await one.ask("x.y.z");
    expect(one.lines.at(-1)).toMatchObject({ msg: "refused", suppressed: 150 });
  });
});
