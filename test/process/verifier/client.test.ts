import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleClient } from "../../../verifier/bundle/bundle.ts";
import { service, text } from "../../support/verifier/clientService.ts";
import { Folder, until } from "../../support/verifier/verifier.ts";

describe("the command of the client, from its one file", () => {
  const folder = new Folder();
  let program: string;
  beforeAll(async () => {
    program = folder.write("client.mjs", (await bundleClient()).code);
  });
  afterAll(() => folder[Symbol.dispose]());

  function start(...args: readonly string[]): { child: ChildProcess; lines: () => Record<string, unknown>[] } {
    const child = spawn(process.execPath, ["--permission", "--allow-fs-read=/tmp/", program, ...args], { env: {} });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    return {
      child,
      lines: () =>
        output
          .trim()
          .split("\n")
          .filter(Boolean)
          .map((line) => JSON.parse(line)),
    };
  }

  test("calls once and ends with 0, and with 1 when it is refused", async () => {
    await using one = await service((request, response) =>
      text(request.url === "/who" ? 200 : 403, "body")(request, response),
    );
    const good = start("--url", one.url, "--token-file", one.tokenFile, "--show-body", "yes");
    expect(await once(good.child, "close")).toEqual([0, null]);
    expect(good.lines()).toMatchObject([{ url: one.url, status: 200, attempts: 1, body: "body" }]);
    const bad = start("--url", `${one.url}/else`, "--token-file", one.tokenFile);
    expect(await once(bad.child, "close")).toEqual([1, null]);
    expect(bad.lines()[0]).not.toHaveProperty("body");
  });
  test("calls again and again until SIGTERM, over one connection", async () => {
    await using one = await service(text(200));
    const { child, lines } = start("--url", one.url, "--token-file", one.tokenFile, "--interval", "0.02");
    await until(() => lines().length >= 3, "three calls");
    const closed = once(child, "close");
    child.kill("SIGTERM");
    expect(await closed).toEqual([0, null]);
    expect(one.connections()).toBe(1);
  });
  test("SIGTERM during a call of a series leaves no line of that call, and the exit status of the call before", async () => {
    let requests = 0;
    await using one = await service((request, response) => {
      if (++requests < 3) text(200)(request, response);
    });
    const { child, lines } = start("--url", one.url, "--token-file", one.tokenFile, "--interval", "0.02");
    await until(() => requests === 3, "a third call");
    const closed = once(child, "close");
    child.kill("SIGTERM");
    expect(await closed).toEqual([0, null]);
    expect(lines()).toMatchObject([{ status: 200 }, { status: 200 }]);
  });
  test("SIGTERM during the only call is a failure", async () => {
    let requests = 0;
    await using one = await service(() => {
      requests += 1;
    });
    const { child, lines } = start("--url", one.url, "--token-file", one.tokenFile);
    await until(() => requests === 1, "a call");
    const closed = once(child, "close");
    child.kill("SIGTERM");
    expect(await closed).toEqual([1, null]);
    expect(lines()).toMatchObject([{ error: "CLIENT_ABORTED" }]);
  });
  test("exits with 2 for invalid flags, and never prints the token", async () => {
    const { child, lines } = start("--url", "http://a");
    expect(await once(child, "close")).toEqual([2, null]);
    expect(lines()).toMatchObject([{ error: "CLIENT_CONFIG" }]);
  });
});
