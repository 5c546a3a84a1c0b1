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
} from "../gateways/index.ts";
import {
  type AkeylessApiArgs,
  AkeylessAuthMethod,
  type AkeylessAuthMethodArgs,
  AkeylessCertificate,
  AkeylessGatewayAuthConfig,
  AkeylessRoleAssociation,
  type AkeylessSubClaims,
} from "./akeyless.ts";

/** How a gateway gets at a cluster, by kind of its auth config. */
export interface AkeylessAccess {
  readonly token?: pulumi.Input<TokenAccess>;
  readonly certificate?: pulumi.Input<CertificateAccess>;
  readonly rancher?: pulumi.Input<RancherAccess>;
  /** For a gateway that runs in the cluster and reviews as its own ServiceAccount. */
  readonly gatewayAccount?: pulumi.Input<ClusterAccess>;
}

export interface AkeylessGatewayArgs {
  /** Base URL of the gateway's REST API, such as `https://GATEWAY:8000/api/v2`. */
  readonly gatewayApi: pulumi.Input<string>;
  /** CA certificates of the gateway, PEM. @default the public ones */
  readonly caPem?: pulumi.Input<string>;
  /** Where auth method, certificate and roles are managed. @default the service's own API */
  readonly api?: AkeylessApiArgs;
  /** Access id and key of an auth method that exists, or what one of the stack's own is to be like; its key pair is made here. */
  readonly authMethod:
    | pulumi.Input<AkeylessCredentials>
    | Omit<AkeylessAuthMethodArgs, "publicKey" | "apiUrl" | "caPem">;
  /** The flows to push, each as a config of its own. */
  readonly access: AkeylessAccess;
  /** Name of the token flow's auth config; those of other flows have their kind behind it (`NAME-certificate`). */
  readonly authConfigName: string;
  /** @default false */
  readonly validateIssuer?: boolean;
  /** Proves every push by a login; see AkeylessGatewayAuthConfig. */
  readonly proof?: {
    readonly account: string;
    readonly audience?: string;
    readonly kubeconfig?: pulumi.Input<string>;
    readonly context?: string;
  };
  /** Registers the certificate of the certificate flow, to be warned before it expires. */
  readonly expiryNotice?: {
    readonly name: string;
    readonly days: readonly number[];
    readonly certificatePem: pulumi.Input<string>;
  };
  /** Roles of logins by the stack's own auth method, with the claims that each asks for. */
  readonly roles?: Readonly<Record<string, AkeylessSubClaims>>;
}

/**
 * A stack's credentials at an Akeyless Gateway, so that workloads can log in: auth method, one auth config for each flow, the
 * certificate's expiry notice, roles. A changed credential reaches the gateway in the `up` that changes it.
 */
export class AkeylessGateway extends pulumi.ComponentResource {
  /** What workloads log in with. */
  readonly accessId: pulumi.Output<string>;
  /** What was pushed, by kind. Secret. */
  readonly authConfigs: Readonly<Partial<Record<AkeylessKind, pulumi.Output<AkeylessAuthConfig>>>>;
  /** Name of the config that workloads are told to use: the first flow's. Known once it is at the gateway. */
  readonly authConfigName: pulumi.Output<string>;

  constructor(name: string, args: AkeylessGatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:AkeylessGateway", name, {}, opts);
    const { authMethod } = args;
    const own = isOwn(authMethod) ? this.#method(name, authMethod, args, opts) : undefined;
    const credentials = own?.credentials ?? pulumi.secret(authMethod as pulumi.Input<AkeylessCredentials>);
    const wanted = akeylessKinds.filter((kind) => args.access[kind] !== undefined);
    const pushed = wanted.map((kind) => {
      const config = this.#config(kind, args, credentials);
      return { kind, config, resource: this.#push(resourceName(name, kind), config, args) };
    });
    const [first] = pushed;
    if (first === undefined) throw new pulumi.ResourceError("access: name one flow at least.", this);
    this.authConfigs = Object.fromEntries(pushed.map(({ kind, config }) => [kind, config]));
    this.authConfigName = first.resource.name;
    this.accessId = own?.method.accessId ?? first.resource.accessId;
    this.#watch(name, args);
    this.#associate(name, args, own?.method);
    this.registerOutputs({ accessId: this.accessId, authConfigName: this.authConfigName });
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

  #push(name: string, config: pulumi.Output<AkeylessAuthConfig>, { gatewayApi, caPem, proof }: AkeylessGatewayArgs) {
    const { account: proofAccount, audience: proofAudience, kubeconfig, context } = proof ?? {};
    const login = proofAccount ? { proofAccount, proofAudience, kubeconfig, context } : {};
    return new AkeylessGatewayAuthConfig(name, { gatewayApi, caPem, config, ...login }, { parent: this });
  }

  #watch(name: string, { expiryNotice, api }: AkeylessGatewayArgs): void {
    if (expiryNotice === undefined) return;
    const { days, ...certificate } = expiryNotice;
    new AkeylessCertificate(name, { ...api, ...certificate, expirationEventIn: days }, { parent: this });
  }

  #associate(name: string, { roles = {}, api }: AkeylessGatewayArgs, method: AkeylessAuthMethod | undefined): void {
    if (method === undefined && Object.keys(roles).length > 0) {
      throw new pulumi.ResourceError("roles: they are associated with an auth method of the stack's own.", this);
    }
    for (const [roleName, subClaims] of Object.entries(roles)) {
      const authMethodName = method?.name ?? "";
      const args = { ...api, roleName, authMethodName, subClaims };
      new AkeylessRoleAssociation(`${name}-${roleName}`, args, { parent: this });
    }
  }
}

const formats = {
  token: akeylessTokenAuthConfig,
  certificate: akeylessCertificateAuthConfig,
  rancher: akeylessRancherAuthConfig,
  gatewayAccount: akeylessGatewayAccountAuthConfig,
};

/** By kind also for the token: names of resources are compared with those in state. */
function resourceName(name: string, kind: AkeylessKind): string {
  return kind === "token" ? `${name}-token` : akeylessConfigName(name, kind);
}

function isOwn(
  method: AkeylessGatewayArgs["authMethod"],
): method is Omit<AkeylessAuthMethodArgs, "publicKey" | "apiUrl" | "caPem"> {
  return !pulumi.Output.isInstance(method) && !(method instanceof Promise) && !("accessId" in method);
}
