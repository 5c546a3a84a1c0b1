/** HTTP itself, before any question is looked at: the same for both servers. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Options of Node's parser. */
export const strictParser = {
  // Node's default, but nothing to rely on silently: lenient parsing is how requests are smuggled.
  insecureHTTPParser: false,
  // Checked by `hasOneHost`, which also refuses two.
  requireHostHeader: false,
};

/** RFC 9112 §3.2: one Host header, which HTTP/1.0 can omit. Of two, a gateway may have looked at the other one. */
export function hasOneHost({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  return hosts === 1 || (hosts === 0 && httpVersion === "1.0");
}

const never = ["Cache-Control", "no-store", "Connection", "close"];

export function refuseHost(response: ServerResponse): void {
  const body = "Expected one Host header.\n";
  const length = String(Buffer.byteLength(body));
  response.writeHead(400, ["Content-Type", "text/plain; charset=utf-8", "Content-Length", length, ...never]);
  response.end(body);
}

/** What the parser and its timer refuse, by the codes of their errors. */
const statuses: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/**
 * Answers what is no HTTP and then closes the connection, as Node does by default, and tells caches not to keep the answer.
 *
 * @param isWaiting whether the answer to an earlier request on the connection is still to come: it must not get this one instead
 */
export function answerParserErrors(server: Server, isWaiting: (socket: Socket) => boolean = () => false): void {
  server.on("clientError", (error: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket;
    const { code = "" } = error;
    // Failed TLS handshakes come here too.
    const isHttp = code.startsWith("HPE_") || Object.hasOwn(statuses, code);
    if (!isHttp || !socket.writable || isWaiting(socket)) return void socket.destroy();
    socket.write(
      `HTTP/1.1 ${statuses[code] ?? "400 Bad Request"}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n`,
    );
    socket.destroySoon();
  });
}
