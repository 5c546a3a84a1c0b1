import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A request that came through to the service. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The protected service: records requests, and answers with `an order` and the header `X-Service`. */
export class RecordingService implements AsyncDisposable {
  readonly seen: Seen[] = [];
  /** Status of its answers. */
  status = 200;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (incoming, outgoing) => {
      const body = await text(incoming);
      const { method = "", url = "", headers } = incoming;
      this.seen.push({ method, url, headers, body });
      outgoing.writeHead(this.status, { "X-Service": "orders" });
      outgoing.end("an order");
    });
  }

  static async start(): Promise<RecordingService> {
    const service = new RecordingService();
    service.#server.listen(0, "127.0.0.1");
    await once(service.#server, "listening");
    return service;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Forgets what it saw. */
  reset(): void {
    this.seen.length = 0;
    this.status = 200;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
