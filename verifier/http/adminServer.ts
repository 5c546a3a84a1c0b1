/** The port for kubelet and Prometheus: `/livez`, `/readyz`, `/metrics`. Nothing here says anything about a token. */
import { createServer, type Server } from "node:http";
import type { Registry } from "prom-client";

export interface AdminServerOptions {
  readonly registry: Registry;
  /** Why the service is not ready; empty when it is. */
  readonly unreadyReasons: () => readonly string[];
}

export function adminServer({ registry, unreadyReasons }: AdminServerOptions): Server {
  const server = createServer(
    { maxHeaderSize: 8_192, headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 },
    async (request, response) => {
      const send = (status: number, body: string, type = "text/plain; charset=utf-8") => {
        response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store" });
        response.end(body);
      };
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.setHeader("Allow", "GET, HEAD");
        return send(405, "Expected GET.\n");
      }
      switch (request.url?.split("?")[0]) {
        // That an answer comes at all says that the event loop runs.
        case "/livez":
        case "/healthz":
          return send(200, "ok\n");
        case "/readyz": {
          const reasons = unreadyReasons();
          return reasons.length === 0 ? send(200, "ok\n") : send(503, `${reasons.join("\n")}\n`);
        }
        case "/metrics":
          try {
            return send(200, await registry.metrics(), registry.contentType);
          } catch {
            return send(500, "The metrics cannot be read.\n");
          }
        default:
          return send(404, "Expected /livez, /readyz or /metrics.\n");
      }
    },
  );
  server.maxConnections = 100;
  return server;
}
