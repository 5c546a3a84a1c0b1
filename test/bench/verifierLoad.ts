/**
 * Sends requests over connections that stay open, as fast as they are answered. It is a separate process, and costs less CPU
 * for each request than what it measures. Messages: the port and the time in, the number of answers and their times out.
 */
import { readFileSync } from "node:fs";
import { connect } from "node:net";

export interface LoadResult {
  readonly answers: number;
  readonly failures: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

const connections = 32;
const tokens = readFileSync(process.argv[2] as string, "utf8")
  .trim()
  .split("\n");
const requests = tokens.map((token) =>
  Buffer.from(`GET / HTTP/1.1\r\nHost: verifier\r\nAuthorization: Bearer ${token}\r\n\r\n`),
);

process.send?.({});
process.on("message", async ({ port, ms, one }: { port: number; ms: number; one: boolean }) => {
  process.send?.(await load(port, ms, one ? requests.slice(0, 1) : requests));
});

async function load(port: number, ms: number, sent: readonly Buffer[]): Promise<LoadResult> {
  const times: number[] = [];
  const end = performance.now() + ms;
  let failures = 0;
  let at = 0;
  const caller = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      let expected = 0;
      let missing = 0;
      let sentAt = 0;
      const next = () => {
        sentAt = performance.now();
        if (sentAt > end) return socket.end();
        missing = expected;
        socket.write(sent[at++ % sent.length] as Buffer);
      };
      socket.once("connect", next);
      socket.on("data", (chunk) => {
        // All answers of a connection have one length: they are counted and not parsed.
        if (expected === 0) {
          expected = lengthOf(chunk);
          missing = expected;
        }
        if (missing === expected && chunk.toString("latin1", 9, 12) !== "200") failures += 1;
        missing -= chunk.length;
        if (missing > 0) return;
        times.push(performance.now() - sentAt);
        next();
      });
      socket.once("error", reject);
      socket.once("close", () => resolve());
    });
  await Promise.all(Array.from({ length: connections }, caller));
  times.sort((a, b) => a - b);
  const percentile = (share: number) => times[Math.floor((times.length - 1) * share)] ?? 0;
  return { answers: times.length, failures, p50: percentile(0.5), p90: percentile(0.9), p99: percentile(0.99) };
}

function lengthOf(chunk: Buffer): number {
  const text = chunk.toString("latin1");
  return text.indexOf("\r\n\r\n") + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1]);
}
