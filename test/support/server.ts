/** A local https server with a handler of the test. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type KeyPair, makeCertificate } from "../../sandbox/cluster/certificate.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface LocalServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly ca: KeyPair;
  readonly requests: { readonly method: string; readonly url: string; readonly headers: IncomingMessage["headers"] }[];
  handler: Handler;
}

export const testCa = makeCertificate({ commonName: "test-ca" });
const standard = makeCertificate({ commonName: "server", issuer: testCa, names: ["127.0.0.1", "localhost"] });

/** @param ciphers in the format of OpenSSL, for certificates that its defaults do not permit */
export async function localServer(
  handler: Handler,
  identity: KeyPair = standard,
  ciphers?: string,
): Promise<LocalServer> {
  const requests: LocalServer["requests"] = [];
  const server: Server = createServer(
    { cert: identity.certPem, key: identity.keyPem, ciphers },
    (request, response) => {
      requests.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers });
      local.handler(request, response);
    },
  );
  const sockets = new Set<Duplex>();
  server.on("connection", (socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const local: LocalServer = {
    url: `https://127.0.0.1:${port}`,
    port,
    ca: testCa,
    requests,
    handler,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return local;
}

export function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

export function failure(response: ServerResponse, status: number, reason: string, message: string, headers = {}) {
  answer(
    response,
    status,
    { kind: "Status", apiVersion: "v1", status: "Failure", reason, message, code: status },
    headers,
  );
}

/** A port of this machine where nothing listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
