/** A client for services that accept projected ServiceAccount tokens. */
export {
  backoffMs,
  type CallAnswer,
  type CallOptions,
  retryAfterMs,
  ServiceClient,
  type ServiceClientOptions,
} from "./client.ts";
export { ClientError, type ClientErrorCode } from "./errors.ts";
export { TokenFile, type TokenFileOptions } from "./tokenFile.ts";
