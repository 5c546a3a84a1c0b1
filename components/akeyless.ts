import * as pulumi from "@pulumi/pulumi";
import type { AkeylessAuthConfig } from "../gateways/index.ts";

/**
 * Where objects of an account are managed. Credentials are not among the arguments: the resource plugin takes
 * AKEYLESS_ACCESS_ID and AKEYLESS_ACCESS_KEY, or AKEYLESS_TOKEN, from the environment of `up` and keeps them nowhere.
 */
export interface AkeylessApiArgs {
  /** Base URL of the REST API: the service's own, or a gateway's. @default "https://api.akeyless.io" */
  readonly apiUrl?: pulumi.Input<string>;
  /** CA certificates of that server, PEM. @default the public ones */
  readonly caPem?: pulumi.Input<string>;
}

export interface AkeylessAuthMethodArgs extends AkeylessApiArgs {
  /** Name (path). Another name keeps access id and key, unless the key changes too. */
  readonly name: pulumi.Input<string>;
  /**
   * Public key of a pair of your own, RSA 2048, PEM. With it nothing can get lost: Akeyless shows the private key of a pair that
   * it makes once, and a run that is killed in that moment loses it. Another key needs another name.
   *
   * @default a pair that Akeyless makes; its private key is `privateKey`
   */
  readonly publicKey?: pulumi.Input<string>;
  /** Namespaces whose workloads may log in. @default all */
  readonly boundNamespaces?: pulumi.Input<pulumi.Input<string>[]>;
  /** @default all */
  readonly boundPodNames?: pulumi.Input<pulumi.Input<string>[]>;
  /** @default all */
  readonly boundServiceAccountNames?: pulumi.Input<pulumi.Input<string>[]>;
  /** Audience that a workload's token must have. @default any */
  readonly audience?: pulumi.Input<string>;
  /** Role associations must name sub-claims. @default false */
  readonly forceSubClaims?: pulumi.Input<boolean>;
  /** CIDRs of workloads. @default all */
  readonly boundIps?: pulumi.Input<pulumi.Input<string>[]>;
  /** CIDRs of gateways. @default all */
  readonly gatewayBoundIps?: pulumi.Input<pulumi.Input<string>[]>;
  /** End of the method, Unix time in seconds. @default none */
  readonly accessExpires?: pulumi.Input<number>;
  /** Lifetime of a session, in minutes. @default the account's */
  readonly jwtTtl?: pulumi.Input<number>;
  readonly auditLogsClaims?: pulumi.Input<pulumi.Input<string>[]>;
  /** Days before `accessExpires` at which to be notified. */
  readonly expirationEventIn?: pulumi.Input<pulumi.Input<string>[]>;
  /** cli, ui, gateway-admin, sdk, mobile, extension. @default all */
  readonly allowedClientTypes?: pulumi.Input<pulumi.Input<string>[]>;
  /** sm, sra, pm, dp, ca. @default all */
  readonly productTypes?: pulumi.Input<pulumi.Input<string>[]>;
  readonly description?: pulumi.Input<string>;
  /** Protects it from being deleted, by `destroy` too. @default false */
  readonly deleteProtection?: pulumi.Input<boolean>;
}

/** An auth method of Akeyless for workloads of a cluster: who they are and what they may be bound to. */
export class AkeylessAuthMethod extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string>;
  /** `p-…`. Not secret: workloads pass it. */
  declare readonly accessId: pulumi.Output<string>;
  /** The generated private key, base64 of PEM, as auth configs take it; "" where the pair is your own. Secret. */
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
  /** Base URL of the gateway's REST API, such as `https://GATEWAY:8000/api/v2`. */
  readonly gatewayApi: pulumi.Input<string>;
  /** CA certificates of the gateway, PEM. @default the public ones */
  readonly caPem?: pulumi.Input<string>;
  /** What a formatter of gateways/ makes. Kept secret. */
  readonly config: pulumi.Input<AkeylessAuthConfig>;
  /**
   * `NAMESPACE/NAME` of a ServiceAccount that may log in. With it every push is proved by a login with a token that is minted
   * for it, and taken back if that is refused; the deployer needs `create serviceaccounts/token` there.
   *
   * @default none: the config is proved by reading it back
   */
  readonly proofAccount?: pulumi.Input<string>;
  /** Audience of that token. @default the API server's own */
  readonly proofAudience?: pulumi.Input<string>;
  /** Kubeconfig for minting it: a path or the content. */
  readonly kubeconfig?: pulumi.Input<string>;
  readonly context?: pulumi.Input<string>;
}

/**
 * An auth config at a gateway. A changed credential replaces the old one in one call, so that there is a valid config at any
 * moment; under another name the new one is made before the old one goes. What the gateway does not take as it was sent, or by
 * which nobody can log in, is taken back.
 */
export class AkeylessGatewayAuthConfig extends pulumi.CustomResource {
  /** What workloads pass as `k8s-auth-config-name`. */
  declare readonly name: pulumi.Output<string>;
  declare readonly accessId: pulumi.Output<string>;
  /** `token`, `certificate`, `rancher` or `gateway-account`. */
  declare readonly kind: pulumi.Output<string>;
  /** SHA-256 of the config, hexadecimal: shows a change without showing the config. */
  declare readonly configSha256: pulumi.Output<string>;

  constructor(name: string, args: AkeylessGatewayAuthConfigArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      "k8sauth:index:AkeylessGatewayAuthConfig",
      name,
      {
        ...args,
        config: pulumi.secret(args.config),
        kubeconfig: args.kubeconfig === undefined ? undefined : pulumi.secret(args.kubeconfig),
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
  /** PEM. Notices need no private key, and none is taken. */
  readonly certificatePem: pulumi.Input<string>;
  /** Days before its end at which Akeyless raises an event; an Event Forwarder there delivers it. @default [] */
  readonly expirationEventIn?: readonly number[];
  readonly description?: pulumi.Input<string>;
  readonly tags?: pulumi.Input<pulumi.Input<string>[]>;
}

/** A certificate that Akeyless watches and warns about before it expires. A renewed one becomes the item's new version. */
export class AkeylessCertificate extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly fingerprint: pulumi.Output<string>;
  /** RFC 3339. */
  declare readonly notAfter: pulumi.Output<string>;

  constructor(name: string, args: AkeylessCertificateArgs, opts?: pulumi.CustomResourceOptions) {
    const expirationEventIn = args.expirationEventIn?.map(String);
    const outputs = { fingerprint: undefined, notAfter: undefined, drift: undefined };
    super("k8sauth:index:AkeylessCertificate", name, { ...args, expirationEventIn, ...outputs }, opts);
  }
}

/** Claims of a login, as far as a token carries them. */
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
  /** Newer gateways alone. */
  | "config_name";

/** By claim: its value, or values of which one must match. */
export type AkeylessSubClaims = Readonly<Partial<Record<AkeylessClaim, string | readonly string[]>>>;

export interface AkeylessRoleAssociationArgs extends AkeylessApiArgs {
  readonly roleName: pulumi.Input<string>;
  readonly authMethodName: pulumi.Input<string>;
  /** @default none: the role is everybody's who logs in */
  readonly subClaims?: AkeylessSubClaims;
  /** @default true */
  readonly caseSensitive?: pulumi.Input<boolean>;
}

/** What a role gives to those who log in by an auth method with the claims named. */
export class AkeylessRoleAssociation extends pulumi.CustomResource {
  declare readonly roleName: pulumi.Output<string>;
  declare readonly assocId: pulumi.Output<string>;

  constructor(name: string, args: AkeylessRoleAssociationArgs, opts?: pulumi.CustomResourceOptions) {
    super("k8sauth:index:AkeylessRoleAssociation", name, { ...args, assocId: undefined, drift: undefined }, opts);
  }
}
