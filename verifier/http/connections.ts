/**
 * Which connections a server holds. One address has so many at most. When all places are taken, a new connection takes the place of an
 * idle one of the address that holds most: first among connections without an accepted token, then among those with one. An address
 * that holds some gets a place from one that then still holds as many at least, so that a flood displaces nothing but itself. Where requests
 * take no time, an address can also give up its own oldest connection for its next.
 */
import type { Server, Socket } from "node:net";
import type { ConnectionLimits } from "./capacity.ts";

export type ConnectionRefusal = "address" | "full";

/** A connection that is held. */
export interface Connection {
  readonly socket: Socket;
  readonly address: string;
  /** Its peer's address and port. */
  readonly key: string;
  /** Whether a token was accepted on it. */
  isTrusted: boolean;
  /** Requests whose decision is awaited. */
  waiting: number;
}

interface Holder {
  readonly trusted: Set<Connection>;
  readonly untrusted: Set<Connection>;
}

type Peer = Pick<Socket, "remoteAddress" | "remotePort">;

/** So many above the limit are looked at, since one of them may displace another; the rest is closed before it costs anything. */
const slack = 256;

export class Connections {
  readonly limits: ConnectionLimits;
  readonly counts = { refused: { address: 0, full: 0 }, displaced: 0 };
  readonly #holders = new Map<string, Holder>();
  /** TLS gives its requests another socket than the one that was admitted: they have the peer in common. */
  readonly #byPeer = new Map<string, Connection>();
  readonly #onRefused: ((reason: ConnectionRefusal, address: string | undefined) => void) | undefined;

  /** @param onRefused called for each connection that is closed before anything is read from it */
  constructor(limits: ConnectionLimits, onRefused?: (reason: ConnectionRefusal, address: string | undefined) => void) {
    this.limits = limits;
    this.#onRefused = onRefused;
  }

  get size(): number {
    return this.#byPeer.size;
  }

  /** Puts the limits before whatever the server does with a connection: TLS and HTTP never see a refused one. */
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

  /** Takes a connection in until it closes, or says that it is to be closed. */
  admit(socket: Socket): boolean {
    const { remoteAddress: address } = socket;
    // Closed again before its turn came.
    if (address === undefined) return false;
    const holder = this.#holders.get(address);
    const { max, maxPerAddress } = this.limits;
    if (holder && countOf(holder) >= maxPerAddress && !this.#displaceOldest(holder))
      return this.#refuse("address", address);
    if (this.size >= max && !this.#displace(holder) && !this.#displaceOldest(holder))
      return this.#refuse("full", address);
    const connection: Connection = { socket, address, key: keyOf(socket), isTrusted: false, waiting: 0 };
    this.#hold(address).untrusted.add(connection);
    this.#byPeer.set(connection.key, connection);
    socket.once("close", () => this.#remove(connection));
    return true;
  }

  /** The connection of a request; `undefined` once it is closed. */
  of(socket: Peer): Connection | undefined {
    return this.#byPeer.get(keyOf(socket));
  }

  /** A token was accepted on it. */
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

  /** Closes an idle connection of the address that holds most. */
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

  /** Of those that wait for nothing. */
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

  #hold(address: string): Holder {
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
