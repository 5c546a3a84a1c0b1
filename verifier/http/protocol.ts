/** Strict HTTP for both servers. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Options of the HTTP parser. */
export const strictParser = {
  // The default, made explicit because lenient parsing enables request smuggling.
  insecureHTTPParser: false,
  // `hasOneHost` checks it, and also refuses two headers.
  requireHostHeader: false,
};

/** Whether a request has one Host header (RFC 9112, section 3.2), or none in HTTP/1.0. With two, verifier and gateway could use different ones. */
export function hasOneHost({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  return hosts === 1 || (hosts === 0 && httpVersion === "1.0");
}

const closing = ["Cache-Control", "no-store", "Connection", "close"];

export function refuseHost(response: ServerResponse): void {
  const body = "Expected one Host header.\n";
  const length = String(Buffer.byteLength(body));
  response.writeHead(400, ["Content-Type", "text/plain; charset=utf-8", "Content-Length", length, ...closing]);
  response.end(body);
}

/** Statuses for error codes of the parser and its timer. The others get 400. */
const statuses: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/**
 * Answers requests that are not valid HTTP and closes the connection, as Node.js does by default, with `Cache-Control: no-store`.
 *
 * @param isWaiting whether an earlier request on the connection has no answer yet. Its client would take the error for the answer, so the
 *   connection is closed without one
 */
export function answerParserErrors(server: Server, isWaiting: (socket: Socket) => boolean = () => false): void {
  server.on("clientError", (error: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket;
    const { code = "" } = error;
    // Failed TLS handshakes cause this event too.
    const isHttp = code.startsWith("HPE_") || Object.hasOwn(statuses, code);
    if (!isHttp || !socket.writable || isWaiting(socket)) return void socket.destroy();
    socket.write(
      `HTTP/1.1 ${statuses[code] ?? "400 Bad Request"}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n`,
    );
    socket.destroySoon();
  });
}
