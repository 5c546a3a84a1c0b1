/** A small Kubernetes client on node:https: reads kubeconfigs, sends requests, and explains errors. */
export { anonymousError, anonymousUser } from "./anonymous.ts";
export {
  KubeClient,
  type KubeObject,
} from "./client.ts";
export { isKubeError, isUnreachable, KubeError, type KubeErrorCode, scrub } from "./errors.ts";
export { caCertificates } from "./kubeconfig/caCertificates.ts";
export { loadConnection } from "./kubeconfig/loadConnection.ts";
export { pathFor } from "./paths.ts";
