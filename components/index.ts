/** Pulumi component resources: Kubernetes identities for authentication gateways. */
export * from "./akeyless.ts";
export * from "./akeylessGateway.ts";
export * from "./bearerTokenUser.ts";
export * from "./clientCertificate.ts";
export * from "./cluster.ts";
export * from "./gatewayAccount.ts";
export * from "./products.ts";
export * from "./rancherKey.ts";
export * from "./reviewerToken.ts";
export * from "./rights.ts";
export * from "./rules.ts";
export * from "./signedCertificate.ts";
export * from "./tokenReviewer.ts";
export * from "./verifier.ts";
export * from "./verifierManifests.ts";
export * from "./verifierNetwork.ts";
