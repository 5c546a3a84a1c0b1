/** The port for kubelet and Prometheus: `/livez`, `/readyz`, `/metrics`. Nothing here says anything about a token. */
import { createServer, type Server } from "node:http";
import { contentType } from "../exposition.ts";
import type { Metrics } from "../metrics.ts";
import { Connections } from "./connections.ts";
import { answerParserErrors, hasOneHost, refuseHost, strictParser } from "./protocol.ts";

export interface AdminServerOptions {
  readonly metrics: Pick<Metrics, "text">;
  /** Why the service is not ready; empty when it is. */
  readonly unreadyReasons: () => readonly string[];
  /** What does not work while it is ready: an issuer of several. */
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
        // That an answer comes at all says that the event loop runs.
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
  // Kubelet and Prometheus ask at once and get their answer at once. A client that holds a connection for longer gives way to the next,
  // also one that has kubelet's own address, as pods in the host's network have.
  new Connections({ max: 100, maxPerAddress: 50, isOldestDisplaced: true }).guard(server);
  return server;
}

function lines(texts: readonly string[]): string {
  return `${texts.join("\n")}\n`;
}
