/** Resources for Akeyless's REST API: they let workloads log in. */
export { akeylessGatewayAuthConfig } from "./authConfig.ts";
export type { AuthConfig } from "./authConfigFields.ts";
export { akeylessAuthMethod } from "./authMethod.ts";
export { akeylessCertificate } from "./certificate.ts";
export { akeylessRole } from "./role.ts";
export { akeylessRoleAssociation } from "./roleAssociation.ts";
