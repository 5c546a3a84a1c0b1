/**
 * A test tool: a TLS proxy in front of a real API server. It treats requests for a downstream cluster as a Rancher server does. Its
 * certificate has a separate CA. It knows one cluster.
 */
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { type KeyPair, makeCertificate } from "../../sandbox/cluster/certificate.ts";

export interface RancherOptions {
  /** URL of the API server that receives the requests. */
  readonly server: string;
  /** CA of `server`, PEM. */
  readonly caPem: string;
  /** Rancher's own token at `server`. */
  readonly clusterToken: string;
  /** Certificates that Rancher sends after its own. @default intermediate and root */
  readonly sends?: readonly ("intermediate" | "root")[];
  /** Answer of `/v3/settings/cacerts`. @default the root */
  readonly cacerts?: "root" | "none" | "redirect" | "html";
  readonly leaf?: { readonly notAfterMs?: number; readonly names?: readonly string[] };
  readonly maxVersion?: "TLSv1.1";
  readonly port?: number;
  readonly root?: KeyPair;
}

export class RancherFront implements AsyncDisposable {
  readonly clusterId = "c-m-abcdefgh";
  /** Accepted API keys, with their expiry in RFC 3339; "" for a key that does not expire. */
  readonly apiKeys = new Map<string, string>();
  /** One of `apiKeys`. It does not expire. */
  readonly apiKey = this.makeKey();
  readonly root: KeyPair;
  readonly intermediate: KeyPair;
  readonly leaf: KeyPair;
  /** Names that clients asked for by SNI. */
  readonly serverNames: string[] = [];
  readonly #options: RancherOptions;
  readonly #server;

  private constructor(options: RancherOptions) {
    this.#options = options;
    this.root = options.root ?? makeCertificate({ commonName: "dynamiclistener-ca" });
    this.intermediate = makeCertificate({ commonName: "rancher-intermediate", issuer: this.root, authority: true });
    const names = options.leaf?.names ?? ["127.0.0.1", "localhost"];
    this.leaf = makeCertificate({ commonName: "rancher", issuer: this.intermediate, names, ...options.leaf });
    const chain = (options.sends ?? ["intermediate", "root"]).map((name) => this[name].certPem);
    const { maxVersion } = options;
    this.#server = createServer(
      {
        cert: [this.leaf.certPem, ...chain].join(""),
        key: this.leaf.keyPem,
        ...(maxVersion && { maxVersion, minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" }),
      },
      (incoming, outgoing) => this.#serve(incoming, outgoing),
    );
    this.#server.on("secureConnection", ({ servername }) => {
      if (servername) this.serverNames.push(servername);
    });
  }

  static async start(options: RancherOptions): Promise<RancherFront> {
    const rancher = new RancherFront(options);
    rancher.#server.listen(options.port ?? 0, "127.0.0.1");
    await once(rancher.#server, "listening");
    return rancher;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Root URL of the server. */
  get url(): string {
    return `https://localhost:${this.port}`;
  }

  get caPem(): string {
    return this.root.certPem;
  }

  /** Creates an accepted API key. @param expiresAt RFC 3339; "" for a key that does not expire */
  makeKey(expiresAt = ""): string {
    const key = `token-${randomBytes(3).toString("hex")}:${randomBytes(24).toString("hex")}`;
    this.apiKeys.set(key, expiresAt);
    return key;
  }

  /** URL of the downstream cluster, as in Rancher's kubeconfigs. */
  get clusterUrl(): string {
    return `${this.url}/k8s/clusters/${this.clusterId}`;
  }

  /** Checksum of the CA, as Rancher prints it for `--ca-checksum`. */
  get checksum(): string {
    return createHash("sha256").update(`${this.root.certPem.trim()}\n`).digest("hex");
  }

  /** A kubeconfig as users download it from Rancher. */
  kubeconfig(): string {
    const ca = Buffer.from(this.root.certPem).toString("base64");
    return JSON.stringify({
      "current-context": "downstream",
      clusters: [{ name: "downstream", cluster: { server: this.clusterUrl, "certificate-authority-data": ca } }],
      users: [{ name: "downstream", user: { token: this.apiKey } }],
      contexts: [{ name: "downstream", context: { cluster: "downstream", user: "downstream" } }],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method, url = "", headers } = incoming;
    const prefix = `/k8s/clusters/${this.clusterId}`;
    if (url === "/v3/settings/cacerts") {
      this.#cacerts(outgoing);
      return;
    }
    const bearer = headers.authorization?.replace(/^Bearer /, "") ?? "";
    const refuse = (message: string) => {
      incoming.resume();
      outgoing.writeHead(401, { "Content-Type": "application/json" });
      outgoing.end(JSON.stringify({ type: "error", status: "401", message }));
    };
    const expiresAt = this.apiKeys.get(bearer);
    const [keyName] = bearer.split(":");
    if (url === `/v3/tokens/${keyName}` && expiresAt !== undefined) {
      outgoing.writeHead(200, { "Content-Type": "application/json" });
      outgoing.end(
        JSON.stringify({ id: keyName, type: "token", expired: false, expiresAt, a_field_of_the_future: {} }),
      );
      return;
    }
    if (url.startsWith("/k8s/clusters/") && !url.startsWith(`${prefix}/`)) {
      refuse("clusterID does not match");
      return;
    }
    if (!url.startsWith(`${prefix}/`)) {
      outgoing.writeHead(404, { "Content-Type": "text/html" }).end("<html>Rancher</html>");
      return;
    }
    const { clusterToken, server, caPem } = this.#options;
    // A JWT that is no API key is passed on, as a ServiceAccount token of the downstream cluster.
    const token = expiresAt !== undefined ? clusterToken : bearer.split(".").length === 3 ? bearer : undefined;
    if (token === undefined) {
      refuse("must authenticate");
      return;
    }
    const { host: _host, ...others } = headers;
    const upstream = request(
      server + url.slice(prefix.length),
      { method, headers: { ...others, authorization: `Bearer ${token}` }, ca: caPem, agent: false },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    upstream.on("error", () => outgoing.destroy());
    incoming.pipe(upstream);
  }

  #cacerts(outgoing: ServerResponse): void {
    switch (this.#options.cacerts) {
      case "none":
        outgoing.writeHead(404, { "Content-Type": "application/json" }).end("{}");
        return;
      case "redirect":
        outgoing.writeHead(302, { Location: "https://elsewhere.example/" }).end();
        return;
      case "html":
        outgoing.writeHead(200, { "Content-Type": "text/html" }).end("<html>log in</html>");
        return;
      default:
        outgoing.writeHead(200, { "Content-Type": "application/json" });
        outgoing.end(JSON.stringify({ id: "cacerts", type: "setting", value: this.root.certPem.trim() }));
    }
  }
}

/** SHA-256 of a certificate and of its public key, as `openssl x509 -fingerprint` and kubeadm write them. */
export function pinsOf({ certPem }: KeyPair): { readonly certificate: string; readonly publicKey: string } {
  const certificate = new X509Certificate(certPem);
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  return {
    certificate: certificate.fingerprint256,
    publicKey: `sha256:${createHash("sha256").update(key).digest("hex")}`,
  };
}
