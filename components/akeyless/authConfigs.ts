import * as pulumi from "@pulumi/pulumi";
import {
  type AkeylessAuthConfig,
  type AkeylessCredentials,
  type AkeylessKind,
  type AkeylessOptions,
  akeylessCertificateAuthConfig,
  akeylessConfigName,
  akeylessGatewayAccountAuthConfig,
  akeylessKinds,
  akeylessRancherAuthConfig,
  akeylessTokenAuthConfig,
  type CertificateAccess,
  type ClusterAccess,
  type RancherAccess,
  type TokenAccess,
} from "../../gateways/index.ts";

/** Access of a gateway to a cluster, by kind of auth config. */
export interface AkeylessAccess {
  /** By the token of a TokenReviewer. */
  readonly token?: pulumi.Input<TokenAccess>;
  /** By the certificate of a ClientCertificate. */
  readonly certificate?: pulumi.Input<CertificateAccess>;
  /** By a RancherKey. */
  readonly rancher?: pulumi.Input<RancherAccess>;
  /** By the ServiceAccount of a gateway that runs in the cluster. */
  readonly gatewayAccount?: pulumi.Input<ClusterAccess>;
}

const formats = {
  token: akeylessTokenAuthConfig,
  certificate: akeylessCertificateAuthConfig,
  rancher: akeylessRancherAuthConfig,
  gatewayAccount: akeylessGatewayAccountAuthConfig,
};

/** The kinds of auth configs that an access has. */
export function accessKinds(access: AkeylessAccess): AkeylessKind[] {
  return akeylessKinds.filter((kind) => access[kind] !== undefined);
}

/** Formats the auth config of each kind of access. Secret. */
export function akeylessAuthConfigs(
  access: AkeylessAccess,
  credentials: pulumi.Input<AkeylessCredentials>,
  { authConfigName, ...options }: Omit<AkeylessOptions, "name"> & { readonly authConfigName: string },
): Partial<Record<AkeylessKind, pulumi.Output<AkeylessAuthConfig>>> {
  return Object.fromEntries(
    accessKinds(access).map((kind) => {
      const format = formats[kind] as (
        access: ClusterAccess,
        credentials: AkeylessCredentials,
        options: AkeylessOptions,
      ) => AkeylessAuthConfig;
      const name = akeylessConfigName(authConfigName, kind);
      const config = pulumi
        .all([access[kind] as pulumi.Input<ClusterAccess>, credentials])
        .apply(([known, method]) => format(known, method, { ...options, name }));
      return [kind, pulumi.secret(config)];
    }),
  );
}
