import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Port where connections go; "end" ends them at once, "silence" accepts them and sends nothing. */
export type Target = number | "end" | "silence";

/** Stands between a gateway and the verifier, and counts connections. */
export class Relay implements AsyncDisposable {
  /** Connections since the start. */
  connections = 0;
  #target: Target;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: Target) {
    this.#target = target;
    this.#server = createServer((incoming) => this.#accept(incoming));
  }

  static async start(target: Target): Promise<Relay> {
    const relay = new Relay(target);
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends all connections; the next ones have the other target. */
  switchTo(target: Target): void {
    this.#target = target;
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(incoming: Socket): void {
    this.connections += 1;
    this.#keep(incoming);
    if (this.#target === "end") incoming.destroy();
    else if (this.#target === "silence") incoming.resume();
    else {
      const outgoing = connect(this.#target, "127.0.0.1");
      this.#keep(outgoing);
      incoming.once("close", () => outgoing.destroy()).pipe(outgoing);
      outgoing.once("close", () => incoming.destroy()).pipe(incoming);
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
