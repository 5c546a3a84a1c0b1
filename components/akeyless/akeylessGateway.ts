import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import {
  type AkeylessAuthConfig,
  type AkeylessAuthMethod as AkeylessCredentials,
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
import { inputsOf } from "../inputs.ts";
import {
  type AkeylessApiArgs,
  AkeylessAuthMethod,
  type AkeylessAuthMethodArgs,
  AkeylessCertificate,
  type AkeylessCertificateArgs,
  AkeylessGatewayAuthConfig,
  AkeylessRole,
  AkeylessRoleAssociation,
  type AkeylessRule,
  type AkeylessSubClaims,
} from "./resources.ts";

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

export interface AkeylessGatewayArgs {
  /** Base URL of the gateway's REST API v2: `https://GATEWAY:8000/api/v2`, or `https://GATEWAY:8081` on an older gateway. */
  readonly gatewayApi: pulumi.Input<string>;
  /** URL of the gateway's Configuration Manager, for logins. @default the origin of `gatewayApi` */
  readonly gatewayUrl?: pulumi.Input<string>;
  /** CA certificates of the gateway, PEM. @default public CAs */
  readonly caPem?: pulumi.Input<string>;
  /** API for auth method, certificate and roles. @default that of the service */
  readonly api?: AkeylessApiArgs;
  /** Access id and signing key of an existing auth method, or the arguments of a new one with a generated key pair. */
  readonly authMethod:
    | pulumi.Input<AkeylessCredentials>
    | Omit<AkeylessAuthMethodArgs, "publicKey" | "apiUrl" | "caPem">;
  /** Flows to push; each gets its own auth config. */
  readonly access: AkeylessAccess;
  /** Name of the token flow's auth config. Other flows append their kind (`NAME-certificate`), also without a token flow. */
  readonly authConfigName: string;
  /** Lifetime of the token by which the gateway confirms a login, in seconds. @default 300, set by the gateway */
  readonly tokenExpiration?: number;
  /** Lets the gateway validate the issuer of tokens. @default false */
  readonly validateIssuer?: boolean;
  /** Proves every push by a login, as in AkeylessGatewayAuthConfig. @default none */
  readonly proof?: {
    readonly account: string;
    readonly audience?: string;
  };
  /** Registers the certificate of the certificate flow, for events before it expires. @default none */
  readonly expiryNotice?: Omit<AkeylessCertificateArgs, "apiUrl" | "caPem" | "expirationEventIn"> & {
    /** Days before the expiry of the certificate. */
    readonly days: readonly number[];
  };
  /** Roles of logins by the new auth method, by name. @default {} */
  readonly roles?: Readonly<Record<string, AkeylessGrant>>;
}

/** Grant of a role to logins. */
export interface AkeylessGrant {
  /** Required sub-claims of a login. @default none: every login by the auth method gets the role */
  readonly claims?: AkeylessSubClaims;
  /** Compares sub-claims case-sensitively. @default true */
  readonly caseSensitive?: boolean;
  /** Creates the role with these rules. @default none: the role must exist */
  readonly rules?: readonly AkeylessRule[];
  /** Description of a role that is created. @default none */
  readonly description?: string;
}

/**
 * The credentials of a cluster at an Akeyless Gateway: auth method, an auth config for each flow, expiry events of the certificate, roles. A
 * changed credential reaches the gateway in the same `pulumi up`.
 *
 * @example
 * const access = pulumi
 *   .all([cluster.host, cluster.caPem, reviewer.token.issuer, reviewer.token.token])
 *   .apply(([host, caPem, issuer, token]) => ({ host, caPem, issuer, audience: "", token }));
 * const args = {
 *   gatewayApi: "https://gateway.example:8000/api/v2",
 *   authMethod: { name: "/k8s/prod" },
 *   access: { token: access },
 *   authConfigName: "prod",
 * };
 * new AkeylessGateway("akeyless", args, { providers: [deployer] });
 */
export class AkeylessGateway extends pulumi.ComponentResource {
  /** Access id with which workloads log in. */
  readonly accessId: pulumi.Output<string>;
  /** The pushed auth configs, by kind. Secret. */
  readonly authConfigs: Readonly<Partial<Record<AkeylessKind, pulumi.Output<AkeylessAuthConfig>>>>;
  /** Name of the auth config that workloads use: that of the first flow. It is known once the config is at the gateway. */
  readonly authConfigName: pulumi.Output<string>;

  constructor(name: string, args: AkeylessGatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:AkeylessGateway", name, shown(args), opts);
    const { authMethod } = args;
    const own = isOwn(authMethod) ? this.#method(name, authMethod, args, opts) : undefined;
    const credentials = own?.credentials ?? pulumi.secret(authMethod as pulumi.Input<AkeylessCredentials>);
    const wanted = akeylessKinds.filter((kind) => args.access[kind] !== undefined);
    const pushed = wanted.map((kind) => {
      const config = this.#config(kind, args, credentials);
      return { kind, config, resource: this.#push(resourceName(name, kind), config, args) };
    });
    const [first] = pushed;
    if (first === undefined) throw new pulumi.ResourceError("access: set at least one flow.", this);
    this.authConfigs = Object.fromEntries(pushed.map(({ kind, config }) => [kind, config]));
    this.authConfigName = first.resource.name;
    this.accessId = own?.method.accessId ?? first.resource.accessId;
    this.#watch(name, args);
    this.#associate(name, args, own?.method);
    const { accessId, authConfigs, authConfigName } = this;
    this.registerOutputs({ accessId, authConfigs, authConfigName });
  }

  /** With a key pair of the stack's own: no moment in which it could get lost. */
  #method(
    name: string,
    settings: Omit<AkeylessAuthMethodArgs, "publicKey">,
    { api }: AkeylessGatewayArgs,
    { dependsOn }: pulumi.ComponentResourceOptions = {},
  ) {
    // It needs nothing of the cluster, and would be made while the cluster is still being checked.
    const child = { parent: this, dependsOn };
    const key = new tls.PrivateKey(name, { algorithm: "RSA", rsaBits: 2048 }, child);
    const method = new AkeylessAuthMethod(name, { ...api, ...settings, publicKey: key.publicKeyPem }, child);
    const credentials = pulumi.secret(
      pulumi
        .all([method.accessId, key.privateKeyPem])
        .apply(([accessId, pem]) => ({ accessId, signingKey: Buffer.from(pem).toString("base64") })),
    );
    return { method, credentials };
  }

  #config(
    kind: AkeylessKind,
    args: AkeylessGatewayArgs,
    credentials: pulumi.Output<AkeylessCredentials>,
  ): pulumi.Output<AkeylessAuthConfig> {
    const options = {
      name: akeylessConfigName(args.authConfigName, kind),
      validateIssuer: args.validateIssuer ?? false,
      tokenExpiration: args.tokenExpiration,
    };
    const format = formats[kind] as (
      access: ClusterAccess,
      method: AkeylessCredentials,
      options: AkeylessOptions,
    ) => AkeylessAuthConfig;
    const access = args.access[kind] as pulumi.Input<ClusterAccess>;
    const config = pulumi.all([access, credentials]).apply(([known, method]) => format(known, method, options));
    return pulumi.secret(config);
  }

  #push(name: string, config: pulumi.Output<AkeylessAuthConfig>, args: AkeylessGatewayArgs) {
    const { gatewayApi, gatewayUrl, caPem, proof } = args;
    const { account: proofAccount, audience: proofAudience } = proof ?? {};
    const login = proofAccount ? { proofAccount, proofAudience, gatewayUrl } : {};
    return new AkeylessGatewayAuthConfig(name, { gatewayApi, caPem, config, ...login }, { parent: this });
  }

  #watch(name: string, { expiryNotice, api }: AkeylessGatewayArgs): void {
    if (expiryNotice === undefined) return;
    const { days, ...certificate } = expiryNotice;
    new AkeylessCertificate(name, { ...api, ...certificate, expirationEventIn: days }, { parent: this });
  }

  #associate(name: string, { roles = {}, api }: AkeylessGatewayArgs, method: AkeylessAuthMethod | undefined): void {
    if (method === undefined && Object.keys(roles).length > 0) {
      throw new pulumi.ResourceError(
        "roles: an existing auth method keeps its own roles. Unset roles, or let the component create the auth method.",
        this,
      );
    }
    const child = { parent: this };
    for (const [roleName, { claims, caseSensitive, rules, description }] of Object.entries(roles)) {
      // `/shop/reader` and `shop/reader` are one role: spelt differently it must not become another resource.
      const path = absolute(roleName);
      const role = rules && new AkeylessRole(`${name}-${path}`, { ...api, name: roleName, rules, description }, child);
      const args = {
        ...api,
        roleName: role?.name ?? roleName,
        authMethodName: method?.name ?? "",
        accessId: method?.accessId ?? "",
        subClaims: claims,
        caseSensitive,
      };
      new AkeylessRoleAssociation(`${name}-${path}`, args, child);
    }
  }
}

/** The inputs of the component. Credentials are left out: they are inputs of the auth configs. */
function shown(args: AkeylessGatewayArgs): pulumi.Inputs {
  const { authMethod, access, expiryNotice } = args;
  return {
    ...inputsOf(args, "access", "authMethod", "expiryNotice"),
    kinds: akeylessKinds.filter((kind) => access[kind] !== undefined),
    ...(isOwn(authMethod) && { authMethod }),
    ...(expiryNotice && { expiryNotice: inputsOf(expiryNotice, "certificatePem") }),
  };
}

const formats = {
  token: akeylessTokenAuthConfig,
  certificate: akeylessCertificateAuthConfig,
  rancher: akeylessRancherAuthConfig,
  gatewayAccount: akeylessGatewayAccountAuthConfig,
};

function absolute(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** By kind also for the token: names of resources are compared with those in state. */
function resourceName(name: string, kind: AkeylessKind): string {
  return kind === "token" ? `${name}-token` : akeylessConfigName(name, kind);
}

function isOwn(
  method: AkeylessGatewayArgs["authMethod"],
): method is Omit<AkeylessAuthMethodArgs, "publicKey" | "apiUrl" | "caPem"> {
  return !pulumi.Output.isInstance(method) && !(method instanceof Promise) && !("accessId" in method);
}
