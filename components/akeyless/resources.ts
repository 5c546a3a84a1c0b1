import * as pulumi from "@pulumi/pulumi";
import type { AkeylessAuthConfig } from "../../gateways/index.ts";

/**
 * API of an Akeyless account. The resource plugin reads the credentials from the environment of `pulumi up` and does not store them:
 * AKEYLESS_ACCESS_ID with AKEYLESS_ACCESS_KEY (access key) or AKEYLESS_AUTH_JWT (JWT, or OIDC with AKEYLESS_ACCESS_TYPE=oidc),
 * AKEYLESS_AUTH_TOKEN (a session), or AKEYLESS_AUTH_UID (universal identity).
 */
export interface AkeylessApiArgs {
  /**
   * Base URL of the REST API v2: that of the service, or of a gateway (`https://GATEWAY:8000/api/v2`, on older gateways
   * `https://GATEWAY:8081`).
   *
   * @default "https://api.akeyless.io"
   */
  readonly apiUrl?: pulumi.Input<string>;
  /** CA certificates of the API, PEM. @default public CAs */
  readonly caPem?: pulumi.Input<string>;
}

export interface AkeylessAuthMethodArgs extends AkeylessApiArgs {
  /** Name (path), with or without the leading slash. Renaming keeps access id and key, unless the key changes too. */
  readonly name: pulumi.Input<string>;
  /**
   * Public key of your own key pair, RSA 2048, PEM. Akeyless returns the private key of a generated pair once; a run that is killed at that
   * moment loses it. A different key needs a different name.
   *
   * @default a key pair that Akeyless generates; its private key is `privateKey`
   */
  readonly publicKey?: pulumi.Input<string>;
  /** Namespaces whose workloads may log in. @default all */
  readonly boundNamespaces?: pulumi.Input<pulumi.Input<string>[]>;
  /** Pods that may log in. @default all */
  readonly boundPodNames?: pulumi.Input<pulumi.Input<string>[]>;
  /** ServiceAccounts that may log in. @default all */
  readonly boundServiceAccountNames?: pulumi.Input<pulumi.Input<string>[]>;
  /** Required audience of workloads' tokens. @default any */
  readonly audience?: pulumi.Input<string>;
  /** Requires sub-claims in role associations. @default false */
  readonly forceSubClaims?: pulumi.Input<boolean>;
  /** Networks of workloads, in CIDR notation. @default all */
  readonly boundIps?: pulumi.Input<pulumi.Input<string>[]>;
  /** Networks of gateways, in CIDR notation. @default all */
  readonly gatewayBoundIps?: pulumi.Input<pulumi.Input<string>[]>;
  /** Expiry of the auth method, Unix time in seconds. @default none */
  readonly accessExpires?: pulumi.Input<number>;
  /** Lifetime of a session, in minutes. @default the setting of the account */
  readonly jwtTtl?: pulumi.Input<number>;
  /** Sub-claims that audit logs contain. @default [] */
  readonly auditLogsClaims?: pulumi.Input<pulumi.Input<string>[]>;
  /** Days before `accessExpires` at which Akeyless raises an event. @default [] */
  readonly expirationEventIn?: pulumi.Input<pulumi.Input<string>[]>;
  /** Clients that may log in: cli, ui, gateway-admin, sdk, mobile, extension. @default all */
  readonly allowedClientTypes?: pulumi.Input<pulumi.Input<string>[]>;
  /** Products that a session may use: sm, sra, pm, dp, ca. @default all */
  readonly productTypes?: pulumi.Input<pulumi.Input<string>[]>;
  /** Description. @default none */
  readonly description?: pulumi.Input<string>;
  /** Prevents its deletion, also by `pulumi destroy`. @default false */
  readonly deleteProtection?: pulumi.Input<boolean>;
}

/**
 * A Kubernetes auth method of Akeyless: which workloads of a cluster may log in.
 *
 * @example
 * const key = new tls.PrivateKey("akeyless", { algorithm: "RSA", rsaBits: 2048 });
 * const args = { name: "/k8s/prod", publicKey: key.publicKeyPem, boundNamespaces: ["shop"] };
 * const method = new AkeylessAuthMethod("prod", args, { provider: deployer });
 * export const accessId = method.accessId;
 */
export class AkeylessAuthMethod extends pulumi.CustomResource {
  /** Name (path). */
  declare readonly name: pulumi.Output<string>;
  /** Access id (`p-…`), which workloads pass. Not secret. */
  declare readonly accessId: pulumi.Output<string>;
  /** Generated private key, base64 of PEM, as auth configs accept it; "" with `publicKey`. Secret. */
  declare readonly privateKey: pulumi.Output<string>;

  constructor(name: string, args: AkeylessAuthMethodArgs, opts?: pulumi.CustomResourceOptions) {
    const outputs = { accessId: undefined, privateKey: undefined, drift: undefined };
    super(
      "k8sauth:index:AkeylessAuthMethod",
      name,
      { ...args, ...outputs },
      { ...opts, additionalSecretOutputs: ["privateKey"] },
    );
  }
}

export interface AkeylessGatewayAuthConfigArgs {
  /** Base URL of the gateway's REST API v2: `https://GATEWAY:8000/api/v2`, or `https://GATEWAY:8081` on an older gateway. */
  readonly gatewayApi: pulumi.Input<string>;
  /** CA certificates of the gateway, PEM. @default public CAs */
  readonly caPem?: pulumi.Input<string>;
  /** Auth config, as the functions `akeyless…AuthConfig` return it. Secret. */
  readonly config: pulumi.Input<AkeylessAuthConfig>;
  /**
   * `NAMESPACE/NAME` of a ServiceAccount that may log in. Every push is then proved by a login with a token of this account, and reverted if
   * the gateway rejects the login. The deployer needs `create serviceaccounts/token` there.
   *
   * @default none: the config is read back
   */
  readonly proofAccount?: pulumi.Input<string>;
  /** URL of the gateway's Configuration Manager, for that login. @default the origin of `gatewayApi` */
  readonly gatewayUrl?: pulumi.Input<string>;
  /** Audience of that token. @default the API server's own audience */
  readonly proofAudience?: pulumi.Input<string>;
}

/**
 * An auth config at a gateway. A changed credential replaces the previous one in one call, so that a valid config exists at any time. A
 * config that is renamed is created before the old one is deleted. If the gateway stores another config than it was sent, or if the proof by a
 * login fails, the previous config is restored.
 *
 * @example
 * const config = pulumi
 *   .all([access, credentials])
 *   .apply(([access, method]) => akeylessTokenAuthConfig(access, method, { name: "prod", validateIssuer: false }));
 * const args = { gatewayApi: "https://gateway.example:8000/api/v2", config };
 * new AkeylessGatewayAuthConfig("prod", args, { provider: deployer });
 */
export class AkeylessGatewayAuthConfig extends pulumi.CustomResource {
  /** Name, which workloads pass as `k8s-auth-config-name`. */
  declare readonly name: pulumi.Output<string>;
  /** Access id of the auth method. */
  declare readonly accessId: pulumi.Output<string>;
  /** Kind of access: `token`, `certificate`, `rancher` or `gateway-account`. */
  declare readonly kind: pulumi.Output<string>;
  /** SHA-256 of the config, hexadecimal. It changes with the config. */
  declare readonly configSha256: pulumi.Output<string>;

  constructor(name: string, args: AkeylessGatewayAuthConfigArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      "k8sauth:index:AkeylessGatewayAuthConfig",
      name,
      {
        ...args,
        config: pulumi.secret(args.config),
        name: undefined,
        accessId: undefined,
        kind: undefined,
        configId: undefined,
        configSha256: undefined,
        drift: undefined,
      },
      opts,
    );
  }
}

export interface AkeylessCertificateArgs extends AkeylessApiArgs {
  /** Name (path) of the item. */
  readonly name: pulumi.Input<string>;
  /** Certificate, PEM, without its private key. */
  readonly certificatePem: pulumi.Input<string>;
  /** Days before its expiry at which Akeyless raises an event. An Event Forwarder delivers it. @default [] */
  readonly expirationEventIn?: readonly number[];
  /**
   * Name of the Event Forwarder that delivers the events. `pulumi up` warns if it does not exist, is disabled, or does not cover
   * `certificate-pending-expiration` and the path of the item.
   *
   * @default none, with a warning that the events may not be delivered
   */
  readonly eventForwarder?: pulumi.Input<string>;
  /** Description. @default none */
  readonly description?: pulumi.Input<string>;
  /** Tags. @default [] */
  readonly tags?: pulumi.Input<pulumi.Input<string>[]>;
  /** Prevents its deletion, also by `pulumi destroy`. @default false */
  readonly deleteProtection?: pulumi.Input<boolean>;
}

/**
 * A certificate item of Akeyless, which raises events before the certificate expires. A renewed certificate is a new version of the item.
 *
 * @example
 * const certificatePem = client.certificate.certificatePem;
 * const args = { name: "/k8s/prod-reviewer", certificatePem, expirationEventIn: [14, 3] };
 * new AkeylessCertificate("prod", args, { provider: deployer });
 */
export class AkeylessCertificate extends pulumi.CustomResource {
  /** Name (path). */
  declare readonly name: pulumi.Output<string>;
  /** SHA-256 of the certificate's DER, hexadecimal with colons. */
  declare readonly fingerprint: pulumi.Output<string>;
  /** Expiry, RFC 3339. */
  declare readonly notAfter: pulumi.Output<string>;

  constructor(name: string, args: AkeylessCertificateArgs, opts?: pulumi.CustomResourceOptions) {
    const expirationEventIn = args.expirationEventIn?.map(String);
    const outputs = { fingerprint: undefined, notAfter: undefined, drift: undefined };
    super("k8sauth:index:AkeylessCertificate", name, { ...args, expirationEventIn, ...outputs }, opts);
  }
}

/** A rule of a role. */
export interface AkeylessRule {
  /** Path of the objects; `/shop/*` covers a folder. */
  readonly path: string;
  /** Permissions on the objects. */
  readonly capabilities: readonly ("read" | "create" | "update" | "delete" | "list" | "deny")[];
  /** Kind of the objects. @default "item-rule" */
  readonly type?: "item-rule" | "target-rule" | "role-rule" | "auth-method-rule";
}

export interface AkeylessRoleArgs extends AkeylessApiArgs {
  /** Name (path). Renaming keeps the role's associations. */
  readonly name: pulumi.Input<string>;
  /** All rules of the role for items, targets, roles and auth methods. Other rules are drift, and `pulumi up` deletes them. */
  readonly rules: readonly AkeylessRule[];
  /** Description. @default none */
  readonly description?: pulumi.Input<string>;
  /** Prevents its deletion, also by `pulumi destroy`. @default false */
  readonly deleteProtection?: pulumi.Input<boolean>;
}

/**
 * A role of Akeyless and its rules.
 *
 * @example
 * const rules = [{ path: "/shop/*", capabilities: ["read", "list"] }] as const;
 * new AkeylessRole("shop", { name: "/shop/reader", rules }, { provider: deployer });
 */
export class AkeylessRole extends pulumi.CustomResource {
  /** Name (path). */
  declare readonly name: pulumi.Output<string>;

  constructor(name: string, args: AkeylessRoleArgs, opts?: pulumi.CustomResourceOptions) {
    super("k8sauth:index:AkeylessRole", name, { ...args, drift: undefined }, opts);
  }
}

/** Known sub-claims of a Kubernetes login. The command `describe-sub-claims` of Akeyless's CLI shows those of a session. */
export type AkeylessClaim =
  | "service_account_name"
  | "service_account_uid"
  /** In tokens of a Secret. */
  | "service_account_secret_name"
  | "namespace"
  | "aud"
  /** In tokens that are bound to a pod: projected ones. */
  | "pod_name"
  | "pod_uid"
  /** Name of the auth config. Only newer gateways report it. */
  | "config_name"
  | "config_id"
  /** The client's address, as the gateway sees it. */
  | "client_ip"
  | "client_unique_id"
  | "k8s_id"
  | "use_pod_id_in_unique_id";

/**
 * Required sub-claims of a login: by name, a value or several values of which one must match. All sub-claims must match.
 *
 * In a value `?` stands for one character and `*` for any number of them. From gateway 4.19 on, `AND` and `OR` connect
 * values (`"a AND b"`), from left to right; for older gateways they are part of the value. An unknown claim is a warning.
 *
 * @see https://docs.akeyless.io/docs/sub-claims
 */
export type AkeylessSubClaims = Readonly<
  Partial<Record<AkeylessClaim | (string & Record<never, never>), string | readonly string[]>>
>;

export interface AkeylessRoleAssociationArgs extends AkeylessApiArgs {
  /** Name (path) of the role. */
  readonly roleName: pulumi.Input<string>;
  /** Name (path) of the auth method. */
  readonly authMethodName: pulumi.Input<string>;
  /** Access id (`p-…`) of that auth method: `accessId` of its AkeylessAuthMethod. */
  readonly accessId: pulumi.Input<string>;
  /** Required sub-claims of a login. @default none: every login by the auth method gets the role */
  readonly subClaims?: AkeylessSubClaims;
  /** Compares sub-claims case-sensitively. @default true */
  readonly caseSensitive?: pulumi.Input<boolean>;
}

/**
 * Association of a role with an auth method: logins with the given sub-claims get the role.
 *
 * @example
 * const args = {
 *   roleName: "/shop/reader",
 *   authMethodName: method.name,
 *   accessId: method.accessId,
 *   subClaims: { namespace: "shop", service_account_name: ["cart", "orders"] },
 * };
 * new AkeylessRoleAssociation("shop", args, { provider: deployer });
 */
export class AkeylessRoleAssociation extends pulumi.CustomResource {
  /** Name (path) of the role. */
  declare readonly roleName: pulumi.Output<string>;
  /** Id of the association. */
  declare readonly assocId: pulumi.Output<string>;

  constructor(name: string, args: AkeylessRoleAssociationArgs, opts?: pulumi.CustomResourceOptions) {
    super("k8sauth:index:AkeylessRoleAssociation", name, { ...args, assocId: undefined, drift: undefined }, opts);
  }
}
