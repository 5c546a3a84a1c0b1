/** Real gateways with the configurations of examples/forward-auth, and what stands around them in tests. */
import { caddy } from "./caddy/index.ts";
import type { Gateway } from "./gateway.ts";
import { nginx } from "./nginx.ts";
import { traefik } from "./traefik/index.ts";

export { type Gateway, host } from "./gateway.ts";
export { GatewayProcess } from "./process.ts";
export { Relay } from "./relay.ts";
export { RecordingService } from "./service.ts";

export const gateways: readonly Gateway[] = [nginx, caddy, traefik];

/** Of a `beforeAll` that starts gateways: their first builds take minutes. Milliseconds. */
export const buildTimeout = 1_800_000;
