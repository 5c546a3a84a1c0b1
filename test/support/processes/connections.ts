/**
 * Opens connections from chosen addresses and keeps them, as a separate process: `node connections.ts`. Reads commands as JSON lines from
 * standard input, and writes answers as JSON lines to standard output.
 */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { createSecureContext, connect as tlsConnect } from "node:tls";

interface Target {
  readonly port: number;
  readonly tls: boolean;
}

/** Opens connections, sends one request without a token on each, and keeps them. The answer follows when each was attempted. */
export interface Flood extends Target {
  readonly kind: "flood";
  readonly connections: number;
  /** Number of client addresses, from 127.1.0.1 on. */
  readonly addresses: number;
}

/** Sends text on all open connections, and nothing after it. The answer follows when it is written. */
export interface Send {
  readonly kind: "send";
  readonly text: string;
}

/** One request on a new connection, which is closed after the answer. */
export interface Request extends Target {
  readonly kind: "request";
  readonly from: string;
  readonly path: string;
  readonly token?: string;
}

export interface Answered {
  /** 0 if the connection was closed without an answer. */
  readonly status: number;
  readonly body: string;
}

export type Command = Flood | Send | Request | { readonly kind: "count" };
export type Numbered<Message> = { readonly id: number; readonly message: Message };

/** Number of connections that are opened at a time. The backlog of a server holds more. */
const concurrency = 64;
/** Shared, because creating a secure context takes longer than a handshake. */
const tlsOptions = { secureContext: createSecureContext(), rejectUnauthorized: false };
const open = new Set<Socket>();

function run(command: Command): Promise<unknown> | unknown {
  switch (command.kind) {
    case "flood":
      return flood(command);
    case "send":
      return Promise.all(
        [...open].map((socket) => new Promise<void>((sent) => socket.write(command.text, () => sent()))),
      );
    case "request":
      return request(command);
    case "count":
      return open.size;
  }
}

async function flood(wanted: Flood): Promise<void> {
  let next = 0;
  const openInTurn = async () => {
    while (next < wanted.connections) await openOne(wanted, next++ % wanted.addresses);
  };
  await Promise.all(Array.from({ length: concurrency }, openInTurn));
}

/** Returns when the connection has its answer, or is closed. */
function openOne(target: Flood, address: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectTo(target, `127.1.${address >> 8}.${(address & 255) + 1}`);
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\nHost: verifier\r\n\r\n");
    socket.once("data", () => {
      open.add(socket);
      resolve();
    });
    socket.once("close", () => {
      open.delete(socket);
      resolve();
    });
  });
}

function request(wanted: Request): Promise<Answered> {
  return new Promise((resolve) => {
    const socket = connectTo(wanted, wanted.from);
    const { path, token } = wanted;
    const headers = ["Host: verifier", "Connection: close", ...(token ? [`Authorization: Bearer ${token}`] : [])];
    let text = "";
    socket.write(`GET ${path} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", () => {});
    socket.once("close", () => {
      resolve({ status: Number(text.slice(9, 12)), body: text.slice(text.indexOf("\r\n\r\n") + 4) });
    });
  });
}

function connectTo({ port, tls }: Target, localAddress: string): Socket {
  const to = { host: "127.0.0.1", port, localAddress };
  return tls ? tlsConnect({ ...to, ...tlsOptions }) : connect(to);
}

if (import.meta.main) {
  for await (const line of createInterface(process.stdin)) {
    const { id, message } = JSON.parse(line) as Numbered<Command>;
    void Promise.resolve(run(message)).then((result) => {
      process.stdout.write(`${JSON.stringify({ id, message: result } satisfies Numbered<unknown>)}\n`);
    });
  }
  process.exit(0);
}
