import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * A handler of requests whose open connections can be lost, as those of a failed replica behind a load balancer: requests on them get no
 * answer, and no RST ends them. Requests on new connections are answered with 200.
 */
export class LostConnections {
  readonly #seen = new Set<Socket>();
  readonly #lost = new Set<Socket>();
  readonly #waiting: ServerResponse[] = [];
  readonly #concurrent: number;

  /** @param concurrent number of requests that are answered together before the loss, so that each uses a separate connection */
  constructor(concurrent: number) {
    this.#concurrent = concurrent;
  }

  /** Loses all connections that had a request. */
  lose(): void {
    for (const socket of this.#seen) this.#lost.add(socket);
  }

  readonly handler = ({ socket }: IncomingMessage, response: ServerResponse): void => {
    if (this.#lost.has(socket)) return;
    this.#seen.add(socket);
    this.#waiting.push(response);
    if (this.#lost.size === 0 && this.#waiting.length < this.#concurrent) return;
    for (const waiting of this.#waiting.splice(0)) waiting.end("{}");
  };
}
