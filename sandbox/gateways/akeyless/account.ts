import { createPublicKey, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { type Body, flag, number, optional, Refusal, required, strings } from "./failures.ts";

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
  description: string;
  deleteProtection: boolean;
}

interface Item {
  pem: string;
  days: readonly string[];
}

export interface Association {
  readonly id: string;
  readonly role: string;
  /** The method's access id: associations outlive a new name. */
  readonly accessId: string;
  claims: Readonly<Record<string, readonly string[]>>;
  caseSensitive: boolean;
}

/** What an account holds that is not a gateway's: auth methods, certificates, roles. */
export class Account {
  readonly methods = new Map<string, Method>();
  readonly items = new Map<string, Item>();
  readonly associations = new Map<string, Association>();
  readonly roles = new Set<string>();

  readonly commands: Readonly<Record<string, (body: Body) => object>> = {
    "auth-method-create-k8s": (body) => this.#createMethod(body),
    "auth-method-update-k8s": (body) => this.#updateMethod(body),
    "auth-method-get": (body) => this.#getMethod(body),
    "auth-method-delete": (body) => this.#deleteMethod(body),
    "create-certificate": (body) => this.#createItem(body),
    "update-certificate-value": (body) => this.#updateItem(body),
    "describe-item": (body) => this.#describeItem(body),
    "delete-item": (body) => {
      const name = required(body, "name");
      if (!this.items.delete(name)) throw new Refusal(404, `item ${name} does not exist`);
      return { item_name: name };
    },
    "assoc-role-am": (body) => this.#associate(body),
    "update-assoc": (body) => {
      const association = this.#association(body);
      Object.assign(association, claimsFrom(body));
      return {};
    },
    "delete-assoc": (body) => {
      this.associations.delete(this.#association(body).id);
      return {};
    },
    "get-role": (body) => this.#getRole(body),
  };

  methodOf(accessId: string): Method | undefined {
    return [...this.methods.values()].find((method) => method.accessId === accessId);
  }

  #method(body: Body): Method {
    const name = required(body, "name");
    const method = this.methods.get(name);
    if (method) return method;
    throw new Refusal(404, `auth method ${name} does not exist`);
  }

  #createMethod(body: Body): object {
    const name = required(body, "name");
    if (this.methods.has(name)) throw new Refusal(409, `auth method ${name} already exists`);
    const generate = (optional(body, "gen-key") ?? "true") === "true";
    const pair = generate ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : undefined;
    const publicKey = pair?.publicKey.export({ type: "spki", format: "pem" }) as string | undefined;
    const method: Method = {
      name,
      accessId: `p-${randomBytes(6).toString("hex")}`,
      publicKeyPem: publicKey ?? publicKeyFrom(body),
      boundNamespaces: [],
      boundPodNames: [],
      boundServiceAccountNames: [],
      audience: "",
      forceSubClaims: false,
      boundIps: [],
      gatewayBoundIps: [],
      accessExpires: 0,
      description: "",
      deleteProtection: false,
    };
    Object.assign(method, settingsFrom(body));
    this.methods.set(name, method);
    const privateKey = pair?.privateKey.export({ type: "pkcs1", format: "pem" }) as string | undefined;
    // Shown in this answer and never again.
    return {
      access_id: method.accessId,
      ...(privateKey && { prv_key: Buffer.from(privateKey).toString("base64") }),
      name,
    };
  }

  #updateMethod(body: Body): object {
    const method = this.#method(body);
    const newName = optional(body, "new-name") || method.name;
    if (newName !== method.name && this.methods.has(newName)) throw new Refusal(409, `${newName} already exists`);
    Object.assign(method, settingsFrom(body));
    if (optional(body, "public-key")) method.publicKeyPem = publicKeyFrom(body);
    this.methods.delete(method.name);
    method.name = newName;
    this.methods.set(newName, method);
    return { name: newName };
  }

  #getMethod(body: Body): object {
    const method = this.#method(body);
    return {
      auth_method_access_id: method.accessId,
      auth_method_name: method.name,
      description: method.description,
      delete_protection: method.deleteProtection,
      is_approved: true,
      access_info: {
        rules_type: "k8s",
        access_expires: method.accessExpires,
        jwt_ttl: 60,
        // Fields that are false or empty are left out.
        ...(method.forceSubClaims && { force_sub_claims: true }),
        ...(method.boundIps.length > 0 && { cidr_whitelist: method.boundIps.join(",") }),
        ...(method.gatewayBoundIps.length > 0 && { gw_cidr_whitelist: method.gatewayBoundIps.join(",") }),
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

  #deleteMethod(body: Body): object {
    const method = this.#method(body);
    if (method.deleteProtection) throw new Refusal(403, `auth method ${method.name} has delete protection`);
    this.methods.delete(method.name);
    for (const { id, accessId } of this.associations.values()) {
      if (accessId === method.accessId) this.associations.delete(id);
    }
    return { name: method.name };
  }

  #createItem(body: Body): object {
    const name = required(body, "name");
    if (this.items.has(name)) throw new Refusal(409, `item ${name} already exists`);
    this.items.set(name, itemFrom(body));
    return { name };
  }

  #updateItem(body: Body): object {
    const name = required(body, "name");
    if (!this.items.has(name)) throw new Refusal(404, `item ${name} does not exist`);
    this.items.set(name, itemFrom(body));
    return { name };
  }

  #describeItem(body: Body): object {
    const name = required(body, "name");
    const item = this.items.get(name);
    if (!item) throw new Refusal(404, `item ${name} does not exist`);
    return {
      item_name: name,
      item_type: "CERTIFICATE",
      item_general_info: {
        certificate_chain_info: {
          certificate_pem: item.pem,
          certificate_has_private_key: false,
          certificate_format: "pem",
          expiration_events: item.days.map((days) => ({ seconds_before: Number(days) * 86_400 })),
        },
      },
    };
  }

  #associate(body: Body): object {
    const role = this.#role(required(body, "role-name"));
    const method = this.#method({ name: required(body, "am-name") });
    const taken = [...this.associations.values()].some((one) => one.role === role && one.accessId === method.accessId);
    if (taken) throw new Refusal(409, "association already exists");
    const id = `ass-${randomBytes(6).toString("hex")}`;
    this.associations.set(id, { id, role, accessId: method.accessId, ...claimsFrom(body) });
    return { assoc_id: id };
  }

  #association(body: Body): Association {
    const association = this.associations.get(required(body, "assoc-id"));
    if (association) return association;
    throw new Refusal(404, "association does not exist");
  }

  #getRole(body: Body): object {
    const role = this.#role(required(body, "name"));
    const own = [...this.associations.values()].filter((one) => one.role === role);
    return {
      role_name: role,
      role_auth_methods_assoc: own.map((one) => ({
        assoc_id: one.id,
        auth_method_name: this.methodOf(one.accessId)?.name,
        auth_method_access_id: one.accessId,
        auth_method_sub_claims: one.claims,
        sub_claims_case_sensitive: one.caseSensitive,
      })),
    };
  }

  #role(name: string): string {
    if (this.roles.has(name)) return name;
    throw new Refusal(404, `role ${name} does not exist`);
  }
}

function publicKeyFrom(body: Body): string {
  const given = required(body, "public-key");
  const pem = given.startsWith("-----") ? given : Buffer.from(given, "base64").toString("utf8");
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === "rsa" && key.asymmetricKeyDetails?.modulusLength === 2048) return pem;
  } catch {
    // Said below.
  }
  throw new Refusal(400, "public-key: not an RSA2048 public key");
}

/** Only what a request says: what it leaves out stays as it is. */
function settingsFrom(body: Body): Partial<Method> {
  const protection = optional(body, "delete_protection");
  const settings: { [K in keyof Method]?: Method[K] | undefined } = {
    boundNamespaces: strings(body, "bound-namespaces"),
    boundPodNames: strings(body, "bound-pod-names"),
    boundServiceAccountNames: strings(body, "bound-sa-names"),
    audience: optional(body, "audience"),
    forceSubClaims: flag(body, "force-sub-claims"),
    boundIps: strings(body, "bound-ips"),
    gatewayBoundIps: strings(body, "gw-bound-ips"),
    accessExpires: number(body, "access-expires"),
    description: optional(body, "description"),
    deleteProtection: protection === undefined ? undefined : protection === "true",
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

function itemFrom(body: Body): Item {
  if (required(body, "format") !== "pem") throw new Refusal(400, "format: unsupported");
  const pem = Buffer.from(required(body, "certificate-data"), "base64").toString("utf8");
  try {
    new X509Certificate(pem);
  } catch {
    throw new Refusal(400, "certificate-data: could not be parsed");
  }
  return { pem, days: strings(body, "expiration-event-in") ?? [] };
}

function claimsFrom(body: Body) {
  const given = (body["sub-claims"] ?? {}) as Record<string, unknown>;
  const claims = Object.fromEntries(
    Object.entries(given).map(([claim, values]) => {
      if (typeof values !== "string") throw new Refusal(400, "sub-claims: values must be strings");
      return [claim, values.split(",")];
    }),
  );
  return { claims, caseSensitive: (optional(body, "case-sensitive") ?? "true") === "true" };
}
