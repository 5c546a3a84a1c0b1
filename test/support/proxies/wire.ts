import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A way to the API server that can be cut: bytes pass, TLS is the server's own. */
export class Wire implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#accept(socket));
  readonly #target: URL;
  #silent = false;
  url = "";

  private constructor(target: string) {
    this.#target = new URL(target);
  }

  static async to(server: string, address = "127.0.0.1"): Promise<Wire> {
    const wire = new Wire(server);
    wire.#server.listen(0, address);
    await once(wire.#server, "listening");
    wire.url = `https://${address}:${(wire.#server.address() as AddressInfo).port}`;
    return wire;
  }

  /** From here on connections are accepted and nothing is ever answered. */
  silence(): void {
    this.#silent = true;
    this.#drop();
  }

  /** From here on connections are refused. */
  cut(): void {
    this.#server.close();
    this.#drop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
  }

  #drop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    if (this.#silent) return;
    const upstream = connect(Number(this.#target.port), this.#target.hostname);
    this.#sockets.add(upstream);
    socket.pipe(upstream).pipe(socket);
    upstream.on("error", () => socket.destroy());
  }
}
