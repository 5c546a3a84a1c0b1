/** Resources of Akeyless's REST API, with which workloads can log in. */
export { akeylessGatewayAuthConfig } from "./authConfig.ts";
export type { AuthConfig } from "./authConfigFields.ts";
export { akeylessAuthMethod } from "./authMethod.ts";
export { akeylessCertificate } from "./certificate.ts";
export { akeylessRole } from "./role.ts";
export { akeylessRoleAssociation } from "./roleAssociation.ts";
