import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ServiceClient } from "../../../verifier/client/client.ts";
import { Folder } from "./verifier.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A service with a handler of the test, and a client for it. */
export async function service(handler: Handler, more: object = {}) {
  const folder = new Folder();
  const tokenFile = folder.write("token", "first\n");
  const seen: string[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    seen.push(String(request.headers.authorization));
    handler(request, response);
  });
  server.on("connection", () => {
    connections += 1;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/who`;
  let now = 0;
  const client = new ServiceClient({
    url,
    tokenFile,
    firstPauseMs: 1,
    random: () => 1,
    now: () => now,
    monotonic: () => now,
    ...more,
  });
  return {
    client,
    url,
    seen,
    folder,
    tokenFile,
    connections: () => connections,
    later: (ms: number) => {
      now += ms;
    },
    async [Symbol.asyncDispose]() {
      client.close();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      folder[Symbol.dispose]();
    },
  };
}

/** Answers every request with a status and a text. */
export const text =
  (status: number, body = "", headers = {}): Handler =>
  (_, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };
