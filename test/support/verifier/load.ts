/** Sends requests as fast as they are answered, over a few connections. For tests and the benchmark. */
import { connect } from "node:net";

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  /** The next token, or `undefined` when there are no more. */
  readonly next: () => string | undefined;
  /** Called with each status and its time in milliseconds. */
  readonly onAnswer?: (status: number, ms: number) => void;
}

/** Returns when every token had its answer. */
export async function load({ port, connections, next, onAnswer }: LoadOptions): Promise<void> {
  await Promise.all(Array.from({ length: connections }, () => one(port, next, onAnswer)));
}

function one(port: number, next: LoadOptions["next"], onAnswer: LoadOptions["onAnswer"]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let rest = "";
    let sentAt = 0;
    const send = () => {
      const token = next();
      if (token === undefined) return socket.destroy();
      sentAt = performance.now();
      socket.write(`GET / HTTP/1.1\r\nHost: verifier\r\nAuthorization: Bearer ${token}\r\n\r\n`, "latin1");
    };
    socket.once("connect", send);
    socket.on("data", (chunk) => {
      rest += chunk.toString("latin1");
      const end = endOf(rest);
      if (end === undefined) return;
      onAnswer?.(Number(rest.slice(9, 12)), performance.now() - sentAt);
      rest = rest.slice(end);
      send();
    });
    socket.once("error", reject);
    socket.once("close", () => resolve());
  });
}

/** Offset after the first answer; `undefined` while it is incomplete. */
function endOf(text: string): number | undefined {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head))?.[1];
  const end = head + 4 + Number(length ?? 0);
  return text.length >= end ? end : undefined;
}
