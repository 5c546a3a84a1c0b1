/** Requests that never finish: the server closes their connections after seconds. */
import { connect } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { raw, statusLine } from "../../support/verifier/rawRequest.ts";
import { Folder, keySettings, verifier } from "../../support/verifier/verifier.ts";

const folder = new Folder();
afterAll(() => folder[Symbol.dispose]());
const keys = keySettings(folder);
const keyed = () => verifier(keys);

describe.concurrent("requests that never finish", () => {
  test("no cache may keep an answer: 408", async () => {
    await using one = await keyed();
    const text = await raw(one.port, "GET / HTTP/1.1\r\nHost: v\r\n");
    expect(statusLine(text)).toMatch(/^HTTP\/1.1 408 /);
    expect(text).toMatch(/^cache-control: no-store\r$/im);
  });
  test("headers that come slowly get 408 within seconds", async () => {
    await using one = await keyed();
    const started = performance.now();
    const text = await new Promise<string>((resolve) => {
      let seen = "";
      const socket = connect(one.port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: v\r\n"));
      const drip = setInterval(() => socket.write("X-Slow: 1\r\n"), 250);
      socket.on("data", (chunk) => {
        seen += chunk;
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        clearInterval(drip);
        resolve(seen);
      });
    });
    expect(statusLine(text)).toBe("HTTP/1.1 408 Request Timeout");
    expect(performance.now() - started).toBeLessThan(9_000);
  });
  test("a connection without a request is closed", async () => {
    await using one = await keyed();
    const started = performance.now();
    await raw(one.port, "");
    expect(performance.now() - started).toBeLessThan(9_000);
  });
});
