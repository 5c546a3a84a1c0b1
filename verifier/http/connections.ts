/**
 * Limits the connections of a server, in total and for each address.
 *
 * At the total limit, a new connection displaces an idle one of the address with the most: one without an accepted token, or else one with an
 * accepted token. An address that has connections of this kind displaces one only if the other address still has at least as many as it then
 * has itself. A flood from one address therefore displaces no connection of an address with fewer.
 *
 * With `isOldestDisplaced`, an address can also displace its own oldest connection.
 */
import type { Server, Socket } from "node:net";
import type { ConnectionLimits } from "./capacity.ts";

export type ConnectionRefusal = "address" | "full";

/** An open connection. */
export interface Connection {
  readonly socket: Socket;
  readonly address: string;
  /** Address and port of the client. */
  readonly key: string;
  /** Whether a token was accepted on it. */
  isTrusted: boolean;
  /** Requests without an answer yet. */
  waiting: number;
}

/** The open connections of one address. */
interface Holder {
  readonly trusted: Set<Connection>;
  readonly untrusted: Set<Connection>;
}

type Peer = Pick<Socket, "remoteAddress" | "remotePort">;

/** Connections above the limit that can still displace another one. Node.js closes further ones with the event `drop`. */
const slack = 256;

export class Connections {
  readonly limits: ConnectionLimits;
  readonly counts = { refused: { address: 0, full: 0 }, displaced: 0 };
  readonly #holders = new Map<string, Holder>();
  /** By address and port, because the socket of a TLS request is not the socket that was admitted. */
  readonly #byPeer = new Map<string, Connection>();
  readonly #onRefused: ((reason: ConnectionRefusal, address: string | undefined) => void) | undefined;

  /** @param onRefused called for each connection that is closed without reading from it */
  constructor(limits: ConnectionLimits, onRefused?: (reason: ConnectionRefusal, address: string | undefined) => void) {
    this.limits = limits;
    this.#onRefused = onRefused;
  }

  get size(): number {
    return this.#byPeer.size;
  }

  /** Applies the limits before TLS and HTTP see a connection. */
  guard(server: Server): void {
    const listeners = server.listeners("connection");
    server.removeAllListeners("connection");
    server.on("connection", (socket: Socket) => {
      if (!this.admit(socket)) socket.destroy();
      else for (const listener of listeners) listener.call(server, socket);
    });
    server.maxConnections = this.limits.max + slack;
    server.on("drop", (peer) => this.#refuse("full", peer?.remoteAddress));
  }

  /** Counts a connection until it closes. Returns false if it must be closed. */
  admit(socket: Socket): boolean {
    const { remoteAddress: address } = socket;
    // The client has closed it already.
    if (address === undefined) return false;
    const holder = this.#holders.get(address);
    const { max, maxPerAddress } = this.limits;
    if (holder && countOf(holder) >= maxPerAddress && !this.#displaceOldest(holder))
      return this.#refuse("address", address);
    if (this.size >= max && !this.#displace(holder) && !this.#displaceOldest(holder))
      return this.#refuse("full", address);
    const connection: Connection = { socket, address, key: keyOf(socket), isTrusted: false, waiting: 0 };
    this.#holderOf(address).untrusted.add(connection);
    this.#byPeer.set(connection.key, connection);
    socket.once("close", () => this.#remove(connection));
    return true;
  }

  /** The connection of a request; `undefined` if it is closed. */
  of(socket: Peer): Connection | undefined {
    return this.#byPeer.get(keyOf(socket));
  }

  /** Notes that a token was accepted on the connection. */
  trust(connection: Connection): void {
    if (connection.isTrusted) return;
    connection.isTrusted = true;
    const holder = this.#holders.get(connection.address);
    if (holder?.untrusted.delete(connection)) holder.trusted.add(connection);
  }

  #refuse(reason: ConnectionRefusal, address: string | undefined): false {
    this.counts.refused[reason] += 1;
    this.#onRefused?.(reason, address);
    return false;
  }

  /** Closes an idle connection of the address with the most. */
  #displace(newcomer: Holder | undefined): boolean {
    return (
      this.#displaceAmong(newcomer, (holder) => holder.untrusted) ||
      this.#displaceAmong(newcomer, (holder) => holder.trusted)
    );
  }

  #displaceAmong(newcomer: Holder | undefined, among: (holder: Holder) => ReadonlySet<Connection>): boolean {
    let most: Holder | undefined;
    const own = newcomer ? among(newcomer).size : 0;
    let mostCount = own > 0 ? own + 1 : 0;
    for (const holder of this.#holders.values()) {
      if (among(holder).size <= mostCount) continue;
      most = holder;
      mostCount = among(holder).size;
    }
    return most !== undefined && this.#closeOldest(among(most));
  }

  #displaceOldest(holder: Holder | undefined): boolean {
    if (!holder || !this.limits.isOldestDisplaced) return false;
    return this.#closeOldest(holder.untrusted) || this.#closeOldest(holder.trusted);
  }

  /** Closes the oldest connection without a waiting request. */
  #closeOldest(connections: ReadonlySet<Connection>): boolean {
    for (const connection of connections) {
      if (connection.waiting > 0) continue;
      this.counts.displaced += 1;
      this.#remove(connection);
      connection.socket.destroy();
      return true;
    }
    return false;
  }

  #holderOf(address: string): Holder {
    const holder = this.#holders.get(address) ?? { trusted: new Set(), untrusted: new Set() };
    this.#holders.set(address, holder);
    return holder;
  }

  #remove(connection: Connection): void {
    if (this.#byPeer.get(connection.key) === connection) this.#byPeer.delete(connection.key);
    const holder = this.#holders.get(connection.address);
    if (!holder) return;
    holder.untrusted.delete(connection);
    holder.trusted.delete(connection);
    if (countOf(holder) === 0) this.#holders.delete(connection.address);
  }
}

function countOf({ trusted, untrusted }: Holder): number {
  return trusted.size + untrusted.size;
}

function keyOf({ remoteAddress, remotePort }: Peer): string {
  return `${remoteAddress}|${remotePort}`;
}
