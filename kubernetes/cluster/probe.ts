import { X509Certificate } from "node:crypto";
import { type RequestOptions, request } from "node:https";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import { directConnection } from "../kubeconfig/loadConnection.ts";
import type { TunnelOptions } from "../transport/proxyAgent.ts";
import { agentFor, networkError } from "../transport/transport.ts";

/** A server's certificates and its answer to one request, before any CA is trusted. */
export interface ServerProbe {
  /** The server's certificate, then the CA certificates that it sent. */
  readonly chain: readonly X509Certificate[];
  readonly status: number;
  /** Header Location; "" without it. */
  readonly location: string;
  /** Header Content-Type; "" without it. */
  readonly contentType: string;
  /** The first 256 KiB of the body. */
  readonly body: string;
}

const maxBodyLength = 256 * 1024;

/**
 * Requests one path and accepts any server certificate. The request contains no credential. Compare the result with a known value before you
 * trust it.
 *
 * @throws KubeError KUBE_UNREACHABLE_DNS, KUBE_REFUSED, KUBE_TIMEOUT, KUBE_TLS_PROTOCOL…
 */
export async function probeServer(server: string, path: string, signal: AbortSignal): Promise<ServerProbe> {
  const connection = directConnection({ server, caPem: "", label: "an anonymous caller" }, process.env);
  const attempt = { method: "GET", path, headers: {}, credentials: {}, signal };
  const url = new URL(server);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const agent = agentFor(connection);
  let stage: "connecting" | "handshake" | "reading" = "connecting";
  try {
    return await new Promise<ServerProbe>((resolve, reject) => {
      const options: RequestOptions & TunnelOptions = {
        agent,
        tunnelSignal: signal,
        host,
        port: url.port || 443,
        path,
        // SNI is for names and not for addresses (RFC 6066).
        servername: isIP(host) ? "" : host,
        rejectUnauthorized: false,
        minVersion: "TLSv1.2",
        headers: { Accept: "application/json", "User-Agent": "k8sauth" },
        signal,
      };
      const outgoing = request(options);
      outgoing.once("socket", (socket) =>
        socket.once("connect", () => {
          stage = "handshake";
        }),
      );
      outgoing.once("error", reject);
      outgoing.once("response", (incoming) => {
        stage = "reading";
        const chain = chainOf(incoming.socket as TLSSocket);
        const { statusCode: status = 0, headers } = incoming;
        const { location = "", "content-type": contentType = "" } = headers;
        let body = "";
        incoming.setEncoding("utf8").on("data", (text: string) => {
          body += text;
          if (body.length > maxBodyLength) incoming.destroy();
        });
        incoming.once("error", reject);
        incoming.once("close", () =>
          resolve({ chain, status, location, contentType, body: body.slice(0, maxBodyLength) }),
        );
      });
      outgoing.end();
    });
  } catch (error) {
    throw networkError(error, connection, attempt, stage);
  } finally {
    agent.destroy();
  }
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: X509Certificate | undefined = socket.getPeerX509Certificate();
  while (next !== undefined && !chain.some(({ fingerprint256 }) => fingerprint256 === next?.fingerprint256)) {
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}
