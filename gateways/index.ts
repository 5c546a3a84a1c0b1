/** Auth configs of gateway products: pure functions of the access to a cluster, `ClusterAccess`. */
export * from "./access.ts";
export * from "./akeyless.ts";
export * from "./consul.ts";
export type { Base64Pem, Jwt, Pem } from "./encoding.ts";
export * from "./infisical.ts";
export * from "./kubeconfig.ts";
export * from "./masking.ts";
export * from "./rancher.ts";
export * from "./vault.ts";
