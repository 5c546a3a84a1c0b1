import { X509Certificate } from "node:crypto";
import { type Body, optional, Refusal, required, strings, textFlag } from "./failures.ts";
import { events, pathOf } from "./paths.ts";

export interface Item {
  pem: string;
  days: readonly string[];
  description?: string;
  tags?: readonly string[];
  deleteProtection?: boolean;
  /** Number of times that the certificate was set. */
  version?: number;
}

/** Certificates of an account. */
export class Items extends Map<string, Item> {
  /** Part of the certificate that the description of an item contains. The product's documents promise none. */
  shows: "certificate" | "chain" | "nothing" = "certificate";
  readonly commands: Readonly<Record<string, (body: Body) => object>> = {
    "create-certificate": (body) => {
      const name = pathOf(required(body, "name"));
      if (this.has(name)) throw new Refusal(409, `item ${name} already exists`);
      const { description, tags } = { description: optional(body, "description"), tags: strings(body, "tags") };
      const deleteProtection = textFlag(body, "delete_protection");
      this.set(name, { ...valueFrom(body), description, tags, deleteProtection, version: 1 });
      return { name };
    },
    "update-certificate-value": (body) => {
      const [name, item] = this.#named(body);
      Object.assign(item, valueFrom(body), { version: (item.version ?? 1) + 1 });
      return { name };
    },
    "update-item": (body) => {
      const [, item] = this.#named(body);
      const removed = strings(body, "rm-tag") ?? [];
      item.tags = [...(item.tags ?? []).filter((tag) => !removed.includes(tag)), ...(strings(body, "add-tag") ?? [])];
      item.description = optional(body, "description") ?? item.description;
      item.deleteProtection = textFlag(body, "delete_protection") ?? item.deleteProtection;
      return { updated: true };
    },
    "describe-item": (body) => this.#describe(body),
    "get-certificate-value": (body) => {
      const [, item] = this.#named(body);
      return { certificate_pem: item.pem, private_key_pem: "" };
    },
    "delete-item": (body) => {
      const [name, item] = this.#named(body);
      if (item.deleteProtection) throw new Refusal(403, `item ${name} has delete protection`);
      this.delete(name);
      return { item_name: name, item_id: 1 };
    },
  };

  #named(body: Body): [string, Item] {
    const name = pathOf(required(body, "name"));
    const item = this.get(name);
    if (item) return [name, item];
    throw new Refusal(404, `failed to obtain item ${name}`);
  }

  #describe(body: Body): object {
    const [name, { pem, days, description = "", tags = [], deleteProtection = false, version = 1 }] = this.#named(body);
    const certificate = new X509Certificate(pem);
    const shown = {
      certificate: { certificate_pem: pem },
      chain: {
        certificate_chain: [{ is_ca: certificate.ca, sha_256_fingerprint: certificate.fingerprint256.toLowerCase() }],
      },
      nothing: {},
    };
    return {
      item_name: name,
      item_type: "CERTIFICATE",
      item_metadata: description,
      item_tags: tags.length > 0 ? tags : null,
      delete_protection: deleteProtection,
      last_version: version,
      item_general_info: {
        certificate_chain_info: {
          ...shown[this.shows],
          certificate_has_private_key: false,
          certificate_format: "pem",
          ...events(days),
        },
      },
    };
  }
}

function valueFrom(body: Body): Pick<Item, "pem" | "days"> {
  if (required(body, "format") !== "pem") throw new Refusal(400, "format: unsupported", "InvalidParam");
  const pem = Buffer.from(required(body, "certificate-data"), "base64").toString("utf8");
  try {
    new X509Certificate(pem);
  } catch {
    throw new Refusal(400, "certificate-data: could not be parsed", "InvalidParam");
  }
  return { pem, days: strings(body, "expiration-event-in") ?? [] };
}
