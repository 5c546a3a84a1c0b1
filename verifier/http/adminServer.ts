/** Server for the kubelet and Prometheus: `/livez`, `/readyz`, `/metrics`. Its answers contain nothing about tokens. */
import { createServer, type Server } from "node:http";
import { contentType } from "../exposition.ts";
import type { Metrics } from "../metrics.ts";
import { Connections } from "./connections.ts";
import { answerParserErrors, hasOneHost, refuseHost, strictParser } from "./protocol.ts";

export interface AdminServerOptions {
  readonly metrics: Pick<Metrics, "text">;
  /** Why the service is not ready; empty if it is ready. */
  readonly unreadyReasons: () => readonly string[];
  /** Why some issuers are not ready although the service is. */
  readonly degradedReasons: () => readonly string[];
}

export function adminServer({ metrics, unreadyReasons, degradedReasons }: AdminServerOptions): Server {
  const server = createServer(
    {
      ...strictParser,
      maxHeaderSize: 8_192,
      headersTimeout: 3_000,
      requestTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => {
      if (!hasOneHost(request)) return refuseHost(response);
      const send = (status: number, body: string, type = "text/plain; charset=utf-8") => {
        response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store" });
        response.end(body);
      };
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.setHeader("Allow", "GET, HEAD");
        return send(405, "Expected GET.\n");
      }
      switch (request.url?.split("?")[0]) {
        // An answer shows that the event loop runs.
        case "/livez":
        case "/healthz":
          return send(200, "ok\n");
        case "/readyz": {
          const reasons = unreadyReasons();
          if (reasons.length > 0) return send(503, lines(reasons));
          return send(200, lines(["ok", ...degradedReasons()]));
        }
        case "/metrics":
          return send(200, metrics.text(), contentType);
        default:
          return send(404, "Expected /livez, /readyz or /metrics.\n");
      }
    },
  );
  answerParserErrors(server);
  // At a limit, a new connection displaces the oldest idle one, so the kubelet and Prometheus always get a connection for their short requests.
  // This includes the limit of an address: a pod in the host network has the kubelet's address, and can keep connections open.
  new Connections({ max: 100, maxPerAddress: 50, isOldestDisplaced: true }).guard(server);
  return server;
}

function lines(texts: readonly string[]): string {
  return `${texts.join("\n")}\n`;
}
