import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy in front of the API server that a test can interrupt. It does not terminate TLS. */
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

  /** Closes all connections. New ones are accepted and get no answer. */
  silence(): void {
    this.#silent = true;
    this.#drop();
  }

  /** Closes all connections. New ones are refused. */
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
