/** A small Kubernetes client on node:https: finds the deployer's connection, asks the API server, and explains errors. */
export {
  type Answer,
  type ApplyOptions,
  type ClientOptions,
  type CreateOptions,
  type DeleteOptions,
  KubeClient,
  type KubeObject,
  type ObjectMeta,
  type RequestOptions,
} from "./client.ts";
export {
  type Connection,
  type ConnectionChoice,
  type DirectConnection,
  directConnection,
  loadConnection,
} from "./config.ts";
export type { CredentialSource, Credentials } from "./credentials.ts";
export { isKubeError, isUnreachable, KubeError, type KubeErrorCode, scrub } from "./errors.ts";
export { type ApiResource, isKnownKind, pathFor, resourceFor } from "./paths.ts";
export { certificates } from "./pem.ts";
export { type Shown, showOf } from "./probe.ts";
