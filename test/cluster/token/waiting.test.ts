/** The wait for the token of a Secret that the token controller does not fill. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Plugin } from "../../support/plugin/plugin.ts";
import { accountPath, adminToken, makeReviewer, type Reviewer, reviewerType, secretPath } from "../providerFixture.ts";
import { admin, engine, inputsOf, plugin, sandbox, soon, tokens, warnings } from "./resourceFixture.ts";

describe("a cluster without a token controller", () => {
  let waiting: Reviewer;

  beforeAll(async () => {
    await sandbox.component("kube-controller-manager").kill();
    waiting = await makeReviewer(admin, sandbox);
  });
  afterAll(() => sandbox.component("kube-controller-manager").restart());

  test("a token that never comes ends the wait, and TokenRequest mode is named", async () => {
    const work = plugin.create(reviewerType, inputsOf(waiting), { timeout: 2 });
    await expect(work).rejects.toThrow(/TOKEN_NOT_FILLED.*TokenRequest/);
    expect(engine.lines).toContainEqual(
      expect.objectContaining({ ephemeral: true, message: expect.stringContaining("Waiting for the token") }),
    );
  });

  test("a Secret with ca.crt alone is still waited for", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    await admin.apply(
      secretPath(reviewer),
      { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/service-account-token", data: { "ca.crt": "eA==" } },
      { fieldManager: "test" },
    );
    await expect(plugin.create(reviewerType, inputsOf(reviewer), { timeout: 1 })).rejects.toThrow(/TOKEN_NOT_FILLED/);
  });

  test.each<[string, (reviewer: Reviewer) => string, RegExp]>([
    ["Secret", secretPath, /TOKEN_SECRET_MISSING/],
    ["ServiceAccount", accountPath, /TOKEN_ACCOUNT_MISSING/],
  ])("a %s that is deleted during the wait ends it", async (_kind, path, expected) => {
    const reviewer = await makeReviewer(admin, sandbox);
    const work = plugin.create(reviewerType, inputsOf(reviewer), { timeout: 20 });
    const outcome = work.then(
      () => undefined,
      (error: unknown) => error,
    );
    await sleep(200);
    await admin.delete(path(reviewer));
    expect(String(await outcome)).toMatch(expected);
  });

  test("a Secret that something else made under the name is refused", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    await expect(plugin.create(reviewerType, inputsOf(reviewer, { secretUid: "another" }))).rejects.toThrow(
      /TOKEN_SECRET_OTHER/,
    );
  });

  test("a Secret filled with what is no token, or another account's, is emptied once, and refused if that comes back", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    const fill = (token: string) =>
      admin.apply(
        secretPath(reviewer),
        { apiVersion: "v1", kind: "Secret", data: { token: Buffer.from(token).toString("base64") } },
        { fieldManager: "test", force: true },
      );
    const isEmpty = async () => {
      const { data } = await admin.get<{ data?: { token?: string } }>(secretPath(reviewer));
      return !data?.token;
    };
    await fill("no token");
    await expect(plugin.create(reviewerType, inputsOf(reviewer), { timeout: 1 })).rejects.toThrow(/TOKEN_NOT_FILLED/);
    expect(await isEmpty()).toBe(true);
    expect(await warnings()).toMatch(/not a JWT.*The Secret is emptied/);
    const foreign = await adminToken(admin);
    tokens.add(foreign);
    await fill(foreign);
    const refused = expect(plugin.create(reviewerType, inputsOf(reviewer))).rejects.toThrow(
      /TOKEN_SUBJECT_OTHER.*system:serviceaccount:default/,
    );
    await vi.waitFor(async () => expect(await isEmpty()).toBe(true), soon);
    await fill(foreign);
    await refused;
  });

  test("cancel ends the wait within 2 s", async () => {
    await using own = await Plugin.start(engine);
    const reviewer = await makeReviewer(admin, sandbox);
    const outcome = own.create(reviewerType, inputsOf(reviewer)).catch((error: unknown) => String(error));
    await sleep(300);
    const started = performance.now();
    await own.cancel();
    expect(await outcome).toMatch(/CANCELLED/);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
