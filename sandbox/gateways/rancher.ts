import { once } from "node:events";
import { createServer, request, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { makeCertificate } from "../certificate.ts";

/** The cluster behind, and an identity in it that acts for the API key's user. */
export interface Upstream {
  readonly server: string;
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
}

/**
 * A test tool: a TLS proxy that behaves like Rancher's before a cluster. Its certificate has a CA of its own; it takes API
 * keys and no ServiceAccount tokens, takes `/k8s/clusters/ID` off, and speaks to the cluster as somebody else.
 */
export class RancherFront implements AsyncDisposable {
  readonly caPem: string;
  readonly apiKey: string;
  readonly clusterId: string;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  private constructor(upstream: Upstream, apiKey: string, clusterId: string) {
    const ca = makeCertificate({ commonName: "rancher-ca" });
    const identity = makeCertificate({ commonName: "rancher", issuer: ca, names: ["127.0.0.1"] });
    this.caPem = ca.certPem;
    this.apiKey = apiKey;
    this.clusterId = clusterId;
    const prefix = `/k8s/clusters/${clusterId}/`;
    this.#server = createServer({ cert: identity.certPem, key: identity.keyPem }, (incoming, outgoing) => {
      const refuse = (status: number, message: string) => {
        outgoing.writeHead(status, { "Content-Type": "application/json" });
        outgoing.end(JSON.stringify({ type: "error", status: String(status), message }));
      };
      if (incoming.headers.authorization !== `Bearer ${apiKey}`) return refuse(401, "must authenticate");
      if (!incoming.url?.startsWith(prefix)) return refuse(401, "clusterID does not match");
      const { authorization: _key, host: _host, ...headers } = incoming.headers;
      const onward = request(`${upstream.server}/${incoming.url.slice(prefix.length)}`, {
        method: incoming.method ?? "GET",
        headers,
        ca: upstream.caPem,
        cert: upstream.certPem,
        key: upstream.keyPem,
      });
      onward.on("error", (error) => refuse(502, error.message));
      onward.on("response", (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(onward);
    });
    this.#server.on("connection", (socket) => this.#sockets.add(socket));
  }

  static async start(upstream: Upstream, apiKey: string, clusterId: string): Promise<RancherFront> {
    const front = new RancherFront(upstream, apiKey, clusterId);
    front.#server.listen(0, "127.0.0.1");
    await once(front.#server, "listening");
    return front;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
