import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import {
  type AkeylessAuthConfig,
  type AkeylessCredentials,
  type AkeylessKind,
  akeylessConfigName,
} from "../../gateways/index.ts";
import { inputsOf } from "../inputs.ts";
import { type AkeylessAccess, accessKinds, akeylessAuthConfigs } from "./authConfigs.ts";
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
  /** Registers the certificate of the certificate flow at Akeyless, which raises events before it expires. @default none */
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
  /** Name of the auth config that workloads use: that of the first flow. It is known when the gateway has the config. */
  readonly authConfigName: pulumi.Output<string>;

  constructor(name: string, args: AkeylessGatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:AkeylessGateway", name, shownInputs(args), opts);
    const { authMethod, access, authConfigName, validateIssuer = false, tokenExpiration } = args;
    const created = isNew(authMethod) ? this.#method(name, authMethod, args, opts) : undefined;
    const credentials = created?.credentials ?? pulumi.secret(authMethod as pulumi.Input<AkeylessCredentials>);
    this.authConfigs = akeylessAuthConfigs(access, credentials, { authConfigName, validateIssuer, tokenExpiration });
    const [first] = (Object.entries(this.authConfigs) as [AkeylessKind, pulumi.Output<AkeylessAuthConfig>][]).map(
      ([kind, config]) => this.#push(resourceName(name, kind), config, args),
    );
    if (first === undefined) throw new pulumi.ResourceError("access: set at least one flow.", this);
    this.authConfigName = first.name;
    this.accessId = created?.method.accessId ?? first.accessId;
    this.#register(name, args);
    this.#associate(name, args, created?.method);
    const { accessId, authConfigs } = this;
    this.registerOutputs({ accessId, authConfigs, authConfigName: this.authConfigName });
  }

  /** Creates the auth method with a key pair from the state: a killed run cannot lose its private key. */
  #method(
    name: string,
    settings: Omit<AkeylessAuthMethodArgs, "publicKey">,
    { api }: AkeylessGatewayArgs,
    { dependsOn }: pulumi.ComponentResourceOptions = {},
  ) {
    // Without these dependencies it would be created while the cluster is still being checked.
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

  #push(name: string, config: pulumi.Output<AkeylessAuthConfig>, args: AkeylessGatewayArgs) {
    const { gatewayApi, gatewayUrl, caPem, proof } = args;
    const { account: proofAccount, audience: proofAudience } = proof ?? {};
    const login = proofAccount ? { proofAccount, proofAudience, gatewayUrl } : {};
    return new AkeylessGatewayAuthConfig(name, { gatewayApi, caPem, config, ...login }, { parent: this });
  }

  #register(name: string, { expiryNotice, api }: AkeylessGatewayArgs): void {
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
      // Renaming a resource replaces it, so its name does not depend on the spelling.
      const path = rolePath(roleName);
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
function shownInputs(args: AkeylessGatewayArgs): pulumi.Inputs {
  const { authMethod, access, expiryNotice } = args;
  return {
    ...inputsOf(args, "access", "authMethod", "expiryNotice"),
    kinds: accessKinds(access),
    ...(isNew(authMethod) && { authMethod }),
    ...(expiryNotice && { expiryNotice: inputsOf(expiryNotice, "certificatePem") }),
  };
}

/** The path of a role. `/shop/reader` and `shop/reader` are the same role. */
export function rolePath(name: string): string {
  return name.startsWith("/") ? name : `/${name}`;
}

/** Name of the Pulumi resource of an auth config. Unlike the auth config's own name, it has a suffix for the token flow too. */
function resourceName(name: string, kind: AkeylessKind): string {
  return kind === "token" ? `${name}-token` : akeylessConfigName(name, kind);
}

function isNew(
  method: AkeylessGatewayArgs["authMethod"],
): method is Omit<AkeylessAuthMethodArgs, "publicKey" | "apiUrl" | "caPem"> {
  return !pulumi.Output.isInstance(method) && !(method instanceof Promise) && !("accessId" in method);
}
