/** Pulumi component resources: Kubernetes identities for authentication gateways. */
export { AkeylessGateway, type AkeylessGatewayArgs, type AkeylessGrant } from "./akeyless/akeylessGateway.ts";
export type { AkeylessAccess } from "./akeyless/authConfigs.ts";
export {
  type AkeylessApiArgs,
  AkeylessAuthMethod,
  type AkeylessAuthMethodArgs,
  AkeylessCertificate,
  type AkeylessCertificateArgs,
  type AkeylessClaim,
  AkeylessGatewayAuthConfig,
  type AkeylessGatewayAuthConfigArgs,
  AkeylessRole,
  type AkeylessRoleArgs,
  AkeylessRoleAssociation,
  type AkeylessRoleAssociationArgs,
  type AkeylessRule,
  type AkeylessSubClaims,
} from "./akeyless/resources.ts";
export { BearerTokenUser, type BearerTokenUserArgs } from "./bearerTokenUser.ts";
export { ClientCertificate, type ClientCertificateArgs, type KeyType } from "./clientCertificate.ts";
export { Cluster, type ClusterArgs, type ReservedName, type Right, type SuppliedRequest } from "./cluster.ts";
export { GatewayAccount, type GatewayAccountArgs } from "./gatewayAccount.ts";
export type { Product } from "./products.ts";
export { Provider, type ProviderArgs } from "./provider.ts";
export type { ReviewerRole } from "./rbac/deployerPermissions.ts";
export type { PolicyRule, Verb } from "./rbac/rules.ts";
export { RancherKey, type RancherKeyArgs } from "./resources/rancherKey.ts";
export { ReviewerToken, type ReviewerTokenArgs, type TokenMode } from "./resources/reviewerToken.ts";
export { SignedCertificate, type SignedCertificateArgs } from "./resources/signedCertificate.ts";
export type { TokenSecrets } from "./resources/tokenSecret.ts";
export type { Rotation } from "./rotation.ts";
export { TokenReviewer, type TokenReviewerArgs } from "./tokenReviewer.ts";
export type { VerifierMode, VerifierResources } from "./verifier/manifests.ts";
export type { Callers } from "./verifier/network.ts";
export { Verifier, type VerifierArgs } from "./verifier/verifier.ts";
