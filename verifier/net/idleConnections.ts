import type { Agent } from "node:http";

/**
 * Closes the idle connections of an agent. After a timeout on one connection, the others can lead to the same unreachable server (a failed
 * replica behind a load balancer sends no RST), and each would cost a call its whole timeout.
 */
export function closeIdleConnections(agent: Agent): void {
  for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
}
