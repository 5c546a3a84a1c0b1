/** Opens and closes servers. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Address } from "../config/config.ts";
import { VerifierError } from "../errors.ts";

/**
 * Listens, and returns the port.
 *
 * @throws VerifierError LISTEN_FAILED
 */
export async function listen(server: Server, { host, port }: Address): Promise<number> {
  try {
    server.listen({ host, port, backlog: 1024 });
    await once(server, "listening");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new VerifierError(
      "LISTEN_FAILED",
      `The verifier cannot listen on ${host ?? ""}:${port} (${code}). Check that the port is free and permitted.`,
    );
  }
  return (server.address() as AddressInfo).port;
}

/** Closes the port and idle connections, and waits for running requests. After the limit, it closes their connections too. */
export async function close(server: Server, limitMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  const timer = setTimeout(() => server.closeAllConnections(), limitMs);
  await closed;
  clearTimeout(timer);
}
