import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { type Body, flag, number, optional, Refusal, required, strings, textFlag } from "./failures.ts";
import { answered, events, idOf, pathOf } from "./paths.ts";

export interface Method {
  name: string;
  readonly accessId: string;
  publicKeyPem: string;
  boundNamespaces: readonly string[];
  boundPodNames: readonly string[];
  boundServiceAccountNames: readonly string[];
  audience: string;
  forceSubClaims: boolean;
  boundIps: readonly string[];
  gatewayBoundIps: readonly string[];
  accessExpires: number;
  jwtTtl: number;
  auditLogsClaims: readonly string[];
  expirationEventIn: readonly string[];
  allowedClientTypes: readonly string[];
  productTypes: readonly string[];
  description: string;
  deleteProtection: boolean;
}

/** Auth methods of an account, for Kubernetes. */
export class Methods extends Map<string, Method> {
  readonly commands: Readonly<Record<string, (body: Body) => object>> = {
    "auth-method-create-k8s": (body) => this.#create(body),
    "auth-method-update-k8s": (body) => this.#update(body),
    "auth-method-get": (body) => this.#answer(this.named(required(body, "name"))),
    "auth-method-delete": (body) => this.#remove(body),
  };
  /** Called with the access id of a deleted method. */
  onDelete: (accessId: string) => void = () => {};

  named(name: string): Method {
    const method = this.get(pathOf(name));
    if (method) return method;
    throw new Refusal(404, `auth method ${pathOf(name)} does not exist`);
  }

  byAccessId(accessId: string): Method | undefined {
    return [...this.values()].find((method) => method.accessId === accessId);
  }

  #create(body: Body): object {
    const name = pathOf(required(body, "name"));
    if (this.has(name)) throw new Refusal(409, `auth method ${name} already exists`);
    const generated = textFlag(body, "gen-key") === false ? undefined : keyPair();
    const method: Method = {
      ...defaults,
      ...settingsFrom(body),
      name,
      accessId: idOf("p-"),
      publicKeyPem: generated?.publicKeyPem ?? publicKeyFrom(body),
    };
    this.set(name, method);
    // No other answer contains the private key.
    const { accessId } = method;
    return { access_id: accessId, name: answered(name), ...(generated && { prv_key: generated.privateKey }) };
  }

  /** An update that does not say `gen-key: "false"` gets a new key pair: the strictest reading of the documents. */
  #update(body: Body): object {
    const method = this.named(required(body, "name"));
    const newName = pathOf(optional(body, "new-name") || method.name);
    if (newName !== method.name && this.has(newName)) throw new Refusal(409, `auth method ${newName} already exists`);
    const generated = textFlag(body, "gen-key") === false ? undefined : keyPair();
    method.publicKeyPem = generated?.publicKeyPem ?? publicKeyFrom(body);
    Object.assign(method, settingsFrom(body));
    this.delete(method.name);
    method.name = newName;
    this.set(newName, method);
    return { name: answered(newName), ...(generated && { prv_key: generated.privateKey }) };
  }

  /** An answer about a method. Most fields that are false or empty are absent, as in the product's answers. */
  #answer(method: Method): object {
    return {
      auth_method_access_id: method.accessId,
      auth_method_name: answered(method.name),
      account_id: "acc-0123456789ab",
      description: method.description,
      delete_protection: method.deleteProtection,
      is_approved: true,
      ...events(method.expirationEventIn),
      access_info: {
        rules_type: "k8s",
        access_expires: method.accessExpires,
        jwt_ttl: method.jwtTtl || 60,
        ...(method.forceSubClaims && { force_sub_claims: true }),
        ...(method.boundIps.length > 0 && { cidr_whitelist: method.boundIps.join(",") }),
        ...(method.gatewayBoundIps.length > 0 && { gw_cidr_whitelist: method.gatewayBoundIps.join(",") }),
        ...(method.auditLogsClaims.length > 0 && { audit_logs_claims: method.auditLogsClaims }),
        ...(method.allowedClientTypes.length > 0 && { allowed_client_type: method.allowedClientTypes }),
        ...(method.productTypes.length > 0 && { product_types: method.productTypes }),
        k8s_access_rules: {
          alg: "RS256",
          ...(method.audience && { audience: method.audience }),
          bound_namespaces: method.boundNamespaces,
          bound_pod_names: method.boundPodNames.length > 0 ? method.boundPodNames : null,
          bound_service_account_names: method.boundServiceAccountNames,
          pub_key: Buffer.from(method.publicKeyPem).toString("base64"),
        },
      },
    };
  }

  #remove(body: Body): object {
    const method = this.named(required(body, "name"));
    if (method.deleteProtection) throw new Refusal(403, `auth method ${method.name} has delete protection`);
    this.delete(method.name);
    this.onDelete(method.accessId);
    return { name: answered(method.name) };
  }
}

const defaults = {
  boundNamespaces: [],
  boundPodNames: [],
  boundServiceAccountNames: [],
  audience: "",
  forceSubClaims: false,
  boundIps: [],
  gatewayBoundIps: [],
  accessExpires: 0,
  jwtTtl: 0,
  auditLogsClaims: [],
  expirationEventIn: [],
  allowedClientTypes: [],
  productTypes: [],
  description: "",
  deleteProtection: false,
} as const;

function keyPair() {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const privatePem = privateKey.export({ type: "pkcs1", format: "pem" }) as string;
  return {
    publicKeyPem: publicKey.export({ type: "spki", format: "pem" }) as string,
    privateKey: Buffer.from(privatePem).toString("base64"),
  };
}

function publicKeyFrom(body: Body): string {
  const given = required(body, "public-key");
  const pem = given.startsWith("-----") ? given : Buffer.from(given, "base64").toString("utf8");
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === "rsa" && key.asymmetricKeyDetails?.modulusLength === 2048) return pem;
  } catch {
    // Refused below.
  }
  throw new Refusal(400, "public-key: not an RSA2048 public key", "InvalidParam");
}

/** The settings that a request contains. An update keeps the others. */
function settingsFrom(body: Body): Partial<Method> {
  const settings: { [K in keyof Method]?: Method[K] | undefined } = {
    boundNamespaces: strings(body, "bound-namespaces"),
    boundPodNames: strings(body, "bound-pod-names"),
    boundServiceAccountNames: strings(body, "bound-sa-names"),
    audience: optional(body, "audience"),
    forceSubClaims: flag(body, "force-sub-claims"),
    boundIps: strings(body, "bound-ips"),
    gatewayBoundIps: strings(body, "gw-bound-ips"),
    accessExpires: number(body, "access-expires"),
    jwtTtl: number(body, "jwt-ttl"),
    auditLogsClaims: strings(body, "audit-logs-claims"),
    expirationEventIn: strings(body, "expiration-event-in"),
    allowedClientTypes: strings(body, "allowed-client-type"),
    productTypes: strings(body, "product-type"),
    description: optional(body, "description"),
    deleteProtection: textFlag(body, "delete_protection"),
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
