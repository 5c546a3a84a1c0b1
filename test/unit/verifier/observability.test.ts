import { afterAll, describe, expect, test } from "vitest";
import { hybrid } from "../../support/verifier/hybrid.ts";
import { goodKey, issuer, mint, strangeKey } from "../../support/verifier/tokens.ts";
import {
  acceptedStatus,
  apiServer,
  apiSettings,
  ask,
  Folder,
  keySettings,
  until,
  type Verifier,
  verifier,
} from "../../support/verifier/verifier.ts";

const folder = new Folder();
afterAll(() => folder[Symbol.dispose]());

/** With a key from a file. */
function keyed(more: object = {}): Promise<Verifier> {
  return verifier(keySettings(folder, more));
}

const admin = (one: Verifier, path: string) => ask(one.service.adminPort, undefined, {}, "GET", path);

describe("the port for kubelet and Prometheus", () => {
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
  test("names issuer and key of a refused token, as it claims them, in printable form", async () => {
    await using one = await keyed();
    await one.ask(mint({ iss: "https://other.example" }));
    await one.ask(mint({}, strangeKey, { kid: 'a"b\n\u00e9' }));
    await one.ask(mint({ iss: `https://user:secret@${"x".repeat(400)}` }));
    const refused = one.lines.filter(({ msg }) => msg === "refused");
    expect(refused[0]).toMatchObject({ reason: "unknown_issuer", iss: "https://other.example", kid: goodKey.kid });
    expect(refused[1]).toMatchObject({ iss: issuer, kid: 'a"b??' });
    expect(String(refused[2]?.iss)).toMatch(/^https:\/\/x{200,}$/);
    expect(JSON.stringify(one.lines)).not.toMatch(/user|secret/);
  });
  test("contains the reason of the API server, without any part of the token", async () => {
    const { api, one } = await hybrid();
    const token = mint();
    const [head = "", payload = "", signature = ""] = token.split(".");
    api.review = () => ({
      authenticated: false,
      error: `[invalid bearer token, ServiceAccount web has been deleted\n, token=${token} ${head} "${payload.slice(5, 60)}" ${signature.slice(-20)}]`,
    });
    expect((await one.ask(token)).status).toBe(401);
    const line = one.lines.find(({ msg }) => msg === "refused");
    expect(line).toMatchObject({ reason: "review_refused", kid: goodKey.kid });
    expect(line?.detail).toMatch(/^\[invalid bearer token, ServiceAccount web has been deleted , token=\[token\]/);
    for (const part of [head, payload.slice(5, 60), signature.slice(-20)])
      expect(JSON.stringify(one.lines)).not.toContain(part);
  });
  test("reports that the API server accepts a token only for other audiences", async () => {
    const { api, one } = await hybrid();
    api.review = (review) => ({ ...acceptedStatus(review), audiences: ["other"] });
    expect((await one.ask(mint())).status).toBe(401);
    const line = one.lines.find(({ msg }) => msg === "refused");
    expect(line).toMatchObject({ reason: "review_refused", detail: expect.stringContaining("none of the audiences") });
  });
  test("never has the user of a URL in it, and neither have readiness and metrics", async () => {
    await using api = await apiServer();
    api.issuer = "https://user:secret@other.example";
    const own = apiSettings(api, folder, {
      mode: "oidc-discovery",
      issuer: "https://user:secret@issuer.example",
      discoveryUrl: api.url,
      allow: ["*/*"],
    });
    await using one = await verifier(own, { unready: true });
    await until(() => one.lines.some(({ code }) => code === "DISCOVERY_ISSUER_MISMATCH"), "the document is refused");
    const texts = await Promise.all(["/readyz", "/metrics"].map((path) => admin(one, path)));
    expect(texts[0]?.body).toContain("issuer.example");
    const text = JSON.stringify([one.lines, texts]);
    expect(text).not.toMatch(/user:|secret@/);
  });
  test("limits the lines of a flood of refusals", async () => {
    await using one = await keyed();
    await Promise.all(Array.from({ length: 200 }, (_, at) => one.ask(`x.y.${at}`)));
    expect(one.lines.filter(({ msg }) => msg === "refused")).toHaveLength(50);
    one.clock?.advance(1_000);
    await one.ask("x.y.z");
    expect(one.lines.at(-1)).toMatchObject({ msg: "refused", suppressed: 150 });
  });
});
