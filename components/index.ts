/** Pulumi component resources: Kubernetes identities for authentication gateways. */
export * from "./clientCertificate.ts";
export * from "./cluster.ts";
export * from "./reviewerToken.ts";
export * from "./rights.ts";
export * from "./signedCertificate.ts";
export * from "./tokenReviewer.ts";
