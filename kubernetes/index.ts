/** A small Kubernetes client on node:https: reads kubeconfigs, sends requests, and explains errors. */
export { anonymousError, anonymousUser, refusedUser } from "./anonymous.ts";
export {
  type ApiResponse,
  type ApplyOptions,
  type ClientOptions,
  type CreateOptions,
  type DeleteOptions,
  KubeClient,
  type KubeObject,
  type ObjectMeta,
  type RequestOptions,
} from "./client.ts";
export type { Connection, CredentialSource, Credentials } from "./connection.ts";
export { isKubeError, isUnreachable, KubeError, type KubeErrorCode, scrub } from "./errors.ts";
export { caCertificates } from "./kubeconfig/caCertificates.ts";
export {
  type ConnectionChoice,
  type DirectConnection,
  directConnection,
  loadConnection,
} from "./kubeconfig/loadConnection.ts";
export { type ApiResource, isKnownKind, pathFor, resourceFor } from "./paths.ts";
export { probeServer, type ServerProbe } from "./probe.ts";
