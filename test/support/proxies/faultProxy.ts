/**
 * A proxy in front of a real API server that injects faults which a healthy server does not show. It terminates TLS with its own CA. It
 * presents a client certificate to the server if it has the key.
 */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";

/** What to do with matching requests. The fault that was added last has precedence. */
export interface Fault {
  readonly method?: string;
  /** Matches the path without the query. */
  readonly path: RegExp;
  /** Number of matching requests that pass first. @default 0 */
  readonly skip?: number;
  /** Number of requests that get the fault. @default all */
  readonly times?: number;
  /** Runs before the rest of the fault. */
  readonly before?: () => Promise<unknown>;
  readonly delayMs?: number;
  /** Answer of the proxy. The server does not get the request. */
  readonly answer?: {
    readonly status: number;
    readonly body?: unknown;
    readonly text?: string;
    readonly headers?: Headers;
  };
  /** Closes the connection: before the server gets the request, or after it has executed it. */
  readonly cut?: "before" | "after";
  /** Does not answer: before the server gets the request, or after it has executed it. */
  readonly hang?: "before" | "after";
  /** Changes the server's answer, parsed. */
  readonly change?: (body: Json) => unknown;
  /** Changes the server's answer as text, after `change`. */
  readonly text?: (text: string) => string;
  /** Headers that replace those of the server. */
  readonly headers?: Headers;
}

type Headers = Readonly<Record<string, string>>;

/** A JSON object, as far as tests change it. */
export interface Json {
  [key: string]: Json | readonly Json[] | readonly string[] | string | number | boolean | null | undefined;
}

/** A request, and the status that the client got; 0 without an answer. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  status: number;
}

export class FaultProxy implements AsyncDisposable {
  readonly url: string;
  /** The CA of the proxy's own certificate. */
  readonly caPem: string;
  readonly seen: Seen[] = [];
  readonly #close: () => void;
  #rules: { readonly fault: Fault; count: number }[] = [];
  #clientKey: string | undefined;

  private constructor(url: string, caPem: string, close: () => void) {
    this.url = url;
    this.caPem = caPem;
    this.#close = close;
  }

  static async start(target: { readonly server: string; readonly caPem: string }): Promise<FaultProxy> {
    const ca = makeCertificate({ commonName: "proxy-ca" });
    const identity = makeCertificate({ commonName: "proxy", issuer: ca, names: ["127.0.0.1"] });
    const options = { cert: identity.certPem, key: identity.keyPem, requestCert: true, rejectUnauthorized: false };
    const server = createServer(options, (incoming, outgoing) => {
      proxy.#serve(target, incoming, outgoing).catch(() => outgoing.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const proxy: FaultProxy = new FaultProxy(url, ca.certPem, () => {
      server.closeAllConnections();
      server.close();
    });
    return proxy;
  }

  /** Presents client certificates with this key to the server too. Without the key, the server gets none. */
  passOn(clientKeyPem: string): void {
    this.#clientKey = clientKeyPem;
  }

  add(...faults: Fault[]): void {
    this.#rules.unshift(...faults.map((fault) => ({ fault, count: 0 })));
  }

  clear(): void {
    this.#rules = [];
    this.seen.length = 0;
  }

  /** Requests of matching paths, as "METHOD status". */
  outcomes(path: RegExp): string[] {
    return this.seen.filter((entry) => path.test(entry.path)).map(({ method, status }) => `${method} ${status}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  #fault(method: string, path: string): Fault | undefined {
    for (const rule of this.#rules) {
      const { fault } = rule;
      if ((fault.method ?? method) !== method || !fault.path.test(path)) continue;
      const number = rule.count++ - (fault.skip ?? 0);
      if (number >= 0 && number < (fault.times ?? Number.POSITIVE_INFINITY)) return fault;
    }
    return undefined;
  }

  async #serve(
    target: { readonly server: string; readonly caPem: string },
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ): Promise<void> {
    const { method = "", url = "" } = incoming;
    const path = url.split("?")[0] ?? "";
    const seen: Seen = { method, path, status: 0 };
    this.seen.push(seen);
    const body = await bytesOf(incoming);
    const fault = this.#fault(method, path);
    await fault?.before?.();
    if (fault?.delayMs) await sleep(fault.delayMs);
    if (fault?.cut === "before") return void outgoing.destroy();
    if (fault?.hang === "before") return;
    if (fault?.answer) {
      const { status, headers, text, body: given } = fault.answer;
      seen.status = status;
      outgoing.writeHead(status, { "Content-Type": "application/json", ...headers });
      outgoing.end(text ?? JSON.stringify(given ?? { kind: "Status", status: "Failure", code: status }));
      return;
    }
    const answer = await this.#forward(target, incoming, body);
    let content = await bytesOf(answer);
    if (fault?.change) content = Buffer.from(JSON.stringify(fault.change(JSON.parse(content.toString()) as Json)));
    if (fault?.text) content = Buffer.from(fault.text(content.toString()));
    seen.status = answer.statusCode ?? 0;
    if (fault?.cut === "after") return void outgoing.destroy();
    if (fault?.hang === "after") return;
    const { "content-length": _length, "transfer-encoding": _encoding, ...headers } = answer.headers;
    outgoing.writeHead(seen.status, { ...headers, ...fault?.headers, "content-length": content.length });
    outgoing.end(content);
  }

  async #forward(
    target: { readonly server: string; readonly caPem: string },
    incoming: IncomingMessage,
    body: Buffer,
  ): Promise<IncomingMessage> {
    const { method, url = "", headers } = incoming;
    const shown = (incoming.socket as TLSSocket).getPeerX509Certificate();
    const certificate = shown && this.#clientKey ? { cert: shown.toString(), key: this.#clientKey } : {};
    const upstream = request(target.server + url, { method, headers, ca: target.caPem, agent: false, ...certificate });
    upstream.end(body);
    const [answer] = (await once(upstream, "response")) as [IncomingMessage];
    return answer;
  }
}

async function bytesOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
