/** Calling services with a projected ServiceAccount token. */
export { backoffMs, retryAfterMs } from "./backoff.ts";
export { type CallAnswer, type CallOptions, ServiceClient, type ServiceClientOptions } from "./client.ts";
export { ClientError, type ClientErrorCode } from "./errors.ts";
export { TokenFile, type TokenFileOptions } from "./tokenFile.ts";
