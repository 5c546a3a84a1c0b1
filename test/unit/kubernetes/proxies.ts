/** Proxies of this machine that lead every name to one port of it. */
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import type { Duplex } from "node:stream";
import type { KeyPair } from "../../../sandbox/cluster/certificate.ts";

export interface LocalProxy extends AsyncDisposable {
  readonly port: number;
  /** The requested targets, as `host:port`. */
  readonly tunnels: string[];
  /** Credentials that came, as `user:password`. */
  readonly logins: string[];
}

/** An HTTP proxy, or an HTTPS one with the certificate given; `answer` is its status line for CONNECT. */
export async function httpProxy(target: number, answer = "200 OK", identity?: KeyPair): Promise<LocalProxy> {
  const server = identity ? createHttpsServer({ cert: identity.certPem, key: identity.keyPem }) : createHttpServer();
  const proxy = await listening(server);
  server.on("connect", (request: IncomingMessage, client: Duplex) => {
    proxy.tunnels.push(request.url ?? "");
    const login = request.headers["proxy-authorization"]?.replace("Basic ", "");
    if (login) proxy.logins.push(Buffer.from(login, "base64").toString());
    if (answer === "") return;
    client.write(`HTTP/1.1 ${answer}\r\n\r\n`);
    if (answer.startsWith("200")) join(client, target);
    else client.end();
  });
  return proxy;
}

/** A SOCKS 5 proxy (RFC 1928), with a login (RFC 1929) if the client offers one. */
export async function socksProxy(target: number): Promise<LocalProxy> {
  const server = createServer(async (client) => {
    client.on("error", () => client.destroy());
    const [, , ...methods] = await read(client);
    const withLogin = methods.includes(2);
    client.write(Buffer.from([5, withLogin ? 2 : 0]));
    if (withLogin) {
      const login = await read(client);
      const user = login.subarray(2, 2 + (login[1] ?? 0)).toString();
      proxy.logins.push(`${user}:${login.subarray(3 + user.length).toString()}`);
      client.write(Buffer.from([1, 0]));
    }
    const asked = await read(client);
    const length = asked[4] ?? 0;
    const host = asked[3] === 3 ? asked.subarray(5, 5 + length).toString() : asked.subarray(4, 8).join(".");
    proxy.tunnels.push(`${host}:${asked.readUInt16BE(asked.length - 2)}`);
    client.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    join(client, target);
  });
  const proxy = await listening(server);
  return proxy;
}

async function read(client: Duplex): Promise<Buffer> {
  const [bytes] = (await once(client, "data")) as [Buffer];
  return bytes;
}

function join(client: Duplex, target: number): void {
  const upstream = connect(target, "127.0.0.1");
  for (const side of [client, upstream])
    side.on("error", () => [client, upstream].forEach((end) => void end.destroy()));
  upstream.pipe(client).pipe(upstream);
}

async function listening(server: Server): Promise<LocalProxy> {
  const sockets = new Set<Duplex>();
  server.on("connection", (socket: Duplex) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    tunnels: [],
    logins: [],
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
