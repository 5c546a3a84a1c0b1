/** The verifier: a service that identifies the ServiceAccount and pod of a Kubernetes token. */
export type { Config, IssuerConfig, Mode } from "./config/config.ts";
export { modes } from "./config/config.ts";
export { loadConfig } from "./config/load.ts";
export type { ConfigSources } from "./config/sources.ts";
export { type RefusalReason, refusals, VerifierError, type VerifierErrorCode } from "./errors.ts";
export { headerPrefix } from "./http/answers.ts";
export { type Service, type ServiceOptions, startService } from "./service.ts";
