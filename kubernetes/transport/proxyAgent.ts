import { once } from "node:events";
import { type RequestOptions as HttpRequestOptions, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent, type AgentOptions, type RequestOptions, request as requestHttps } from "node:https";
import { connect, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getCACertificates } from "node:tls";
import { KubeError, scrub } from "../errors.ts";
import { proxyAddress } from "./proxyRules.ts";

/** The proxy for a host and a port; undefined for a direct connection. @throws KubeError KUBE_PROXY_INVALID */
export type ChooseProxy = (host: string, port: number) => URL | undefined;

/** An option of requests that aborts the opening of a tunnel. */
export interface TunnelOptions {
  readonly tunnelSignal?: AbortSignal;
}

type TunnelRequest = RequestOptions & TunnelOptions;

/**
 * Connections through an HTTP, HTTPS or SOCKS 5 proxy. TLS is end-to-end with the server: the proxy sees only its name and encrypted bytes.
 * Failures of the proxy have separate error codes.
 */
export class ProxyAgent extends Agent {
  readonly choose: ChooseProxy;

  constructor(choose: ChooseProxy, options: AgentOptions) {
    super(options);
    this.choose = choose;
  }

  override createConnection(
    options: TunnelRequest,
    callback: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const [host, port] = [String(options.host), Number(options.port)];
    const failed = (error: unknown) => callback(error as Error, undefined as unknown as Duplex);
    let proxy: URL | undefined;
    try {
      proxy = this.choose(host, port);
    } catch (error) {
      failed(error);
      return undefined;
    }
    if (proxy === undefined) return super.createConnection(options, callback);
    openTunnel(proxy, host, port, options).then((socket) => {
      const secured = super.createConnection({ ...options, socket } as RequestOptions, () => {});
      if (secured) callback(null, secured);
    }, failed);
    return undefined;
  }
}

function openTunnel(proxy: URL, host: string, port: number, options: TunnelRequest): Promise<Socket> {
  return proxy.protocol.startsWith("socks5")
    ? throughSocks(proxy, host, port, options)
    : throughHttp(proxy, host, port, options);
}

/** @see https://www.rfc-editor.org/rfc/rfc9110#name-connect */
function throughHttp(proxy: URL, host: string, port: number, { ca, tunnelSignal }: TunnelRequest): Promise<Socket> {
  const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const { username, password } = proxy;
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
  const address = proxyAddress(proxy);
  const options: HttpRequestOptions = {
    ...address,
    agent: false,
    method: "CONNECT",
    path: authority,
    signal: tunnelSignal,
    headers: {
      Host: authority,
      "User-Agent": "k8sauth",
      ...(username || password ? { "Proxy-Authorization": `Basic ${login}` } : {}),
    },
  };
  return new Promise((resolve, reject) => {
    const outgoing =
      proxy.protocol === "https:"
        ? requestHttps({
            ...options,
            ca: proxyAuthorities(ca),
            // Whatever NODE_TLS_REJECT_UNAUTHORIZED says.
            rejectUnauthorized: true,
            allowPartialTrustChain: true,
            servername: isIP(address.host) ? "" : address.host,
          } as RequestOptions)
        : requestHttp(options);
    outgoing.once("connect", (answer: IncomingMessage, socket: Socket) => {
      if (answer.statusCode === 200) {
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(refused(proxy, answer, authority));
    });
    outgoing.once("response", (answer) => {
      outgoing.destroy();
      reject(refused(proxy, answer, authority));
    });
    outgoing.once("error", (error) => reject(unreachable(proxy, error)));
    outgoing.end();
  });
}

/** The CAs that may sign a proxy's certificate: those of the machine, and the CA of the API server. Go accepts the latter alone. */
function proxyAuthorities(ca: RequestOptions["ca"]): RequestOptions["ca"] {
  const given = ca === undefined ? [] : [ca].flat();
  return [...getCACertificates("default"), ...getCACertificates("system"), ...given];
}

/** The proxy resolves the name of the server, as it does for Go. */
async function throughSocks(proxy: URL, host: string, port: number, { tunnelSignal }: TunnelRequest): Promise<Socket> {
  const { SocksClient } = await import("socks");
  const [userId, password] = [decodeURIComponent(proxy.username), decodeURIComponent(proxy.password)];
  const address = proxyAddress(proxy);
  const socket = connect(address);
  const abort = () => socket.destroy();
  tunnelSignal?.addEventListener("abort", abort, { once: true });
  try {
    await once(socket, "connect", { signal: tunnelSignal });
    await SocksClient.createConnection({
      proxy: { ...address, type: 5, ...(userId ? { userId, password } : {}) },
      command: "connect",
      destination: { host, port },
      existing_socket: socket,
    });
    return socket;
  } catch (error) {
    socket.destroy();
    throw unreachable(proxy, error);
  } finally {
    tunnelSignal?.removeEventListener("abort", abort);
  }
}

/** Describes a proxy without its credentials. */
export function proxyText(proxy: URL): string {
  const { host, port } = proxyAddress(proxy);
  return `${proxy.protocol}//${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

function refused(proxy: URL, { statusCode = 0, statusMessage = "" }: IncomingMessage, authority: string): KubeError {
  const said = statusMessage ? ` ${scrub(statusMessage)}` : "";
  return new KubeError(
    "KUBE_PROXY_REFUSED",
    `The proxy ${proxyText(proxy)} refused to connect to ${authority} (${statusCode}${said}).`,
    {
      remedy:
        statusCode === 407
          ? "Set the proxy's user and password in its URL."
          : "Allow this destination in the proxy, or list the server in NO_PROXY if it can be reached directly.",
    },
  );
}

function unreachable(proxy: URL, error: unknown): KubeError {
  const { code = "", message = "" } = error as NodeJS.ErrnoException;
  const why = (code || message).replace(/\.$/, "");
  return new KubeError(
    "KUBE_PROXY_UNREACHABLE",
    `The connection through the proxy ${proxyText(proxy)} failed: ${scrub(why)}.`,
    {
      remedy: "Check HTTPS_PROXY, NO_PROXY, and proxy-url of the kubeconfig, and that the proxy runs.",
    },
  );
}
