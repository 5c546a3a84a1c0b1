import { X509Certificate } from "node:crypto";
import { pemBlocks } from "../../kubernetes/pem.ts";
import { isProviderError } from "../protocol/errors.ts";
import { same } from "../protocol/fields.ts";
import type { AkeylessApi } from "./api/api.ts";
import { type Described, eventDays } from "./api/object.ts";
import type { Shaped } from "./api/shape.ts";

/** Inputs of an item. */
export interface CertificateSettings extends Described {
  readonly certificatePem: string;
  readonly expirationEventIn?: readonly string[];
  readonly tags?: readonly string[];
}

/** An item as Akeyless returns it. */
export interface LiveCertificate {
  /** SHA-256 of the certificate's DER, hexadecimal with colons; undefined if neither the item nor its value shows it. */
  readonly fingerprint: string | undefined;
  /** Days before its expiry at which there are events; undefined if the answer has no details. */
  readonly days: readonly string[] | undefined;
  readonly description: string;
  readonly tags: readonly string[];
  readonly deleteProtection: boolean;
}

const chainInfo = {
  certificate_pem: "string",
  certificate_chain: [{ is_ca: "boolean", sha_256_fingerprint: "string" }],
  expiration_events: [{ seconds_before: "number" }],
} as const;

const itemShape = {
  item_metadata: "string",
  item_tags: ["string"],
  delete_protection: "boolean",
  item_general_info: { certificate_chain_info: chainInfo, expiration_events: [{ seconds_before: "number" }] },
} as const;

export async function findCertificate(api: AkeylessApi, name: string): Promise<LiveCertificate | undefined> {
  const item = await api.find("/describe-item", { name }, itemShape);
  if (item === undefined) return undefined;
  const { certificate_chain_info: chain, expiration_events: events } = item.item_general_info ?? {};
  return {
    fingerprint: shownFingerprint(chain ?? {}) ?? (await valueFingerprint(api, name)),
    // Answers omit an empty list.
    days: chain || events ? eventDays(chain?.expiration_events ?? events) : undefined,
    description: item.item_metadata ?? "",
    tags: item.item_tags ?? [],
    deleteProtection: item.delete_protection ?? false,
  };
}

/** The fingerprint in the description of an item. The description has the certificate, or the fingerprints of its chain, or neither. */
function shownFingerprint({
  certificate_pem: pem,
  certificate_chain: chain,
}: Shaped<typeof chainInfo>): string | undefined {
  const own = pem ? fingerprintOf(pem) : undefined;
  if (own !== undefined) return own;
  const leaf = chain?.find(({ is_ca: isCa }) => !isCa) ?? chain?.[0];
  const digits = leaf?.sha_256_fingerprint?.replaceAll(/[^0-9a-f]/gi, "").toUpperCase() ?? "";
  return digits.length === 64 ? digits.match(/../g)?.join(":") : undefined;
}

/** The fingerprint from the value of an item. Reading it needs another right than reading the description. */
async function valueFingerprint(api: AkeylessApi, name: string): Promise<string | undefined> {
  try {
    const value = await api.find("/get-certificate-value", { name }, { certificate_pem: "string" });
    return value?.certificate_pem ? fingerprintOf(value.certificate_pem) : undefined;
  } catch (error) {
    if (isProviderError(error, "AKEYLESS_FORBIDDEN")) return undefined;
    throw error;
  }
}

export function fingerprintOf(pem: string): string | undefined {
  try {
    return new X509Certificate(pem).fingerprint256;
  } catch {
    return undefined;
  }
}

/** The inputs in which an item differs. Fields that an answer omits, and inputs that are not set, count as equal. */
export function certificateDifferences(given: CertificateSettings, live: LiveCertificate): string[] {
  const { certificatePem, expirationEventIn = [], description, tags, deleteProtection } = given;
  const checks: readonly (readonly [string, boolean])[] = [
    ["certificatePem", live.fingerprint === undefined || live.fingerprint === fingerprintOf(certificatePem)],
    ["expirationEventIn", live.days === undefined || same([...expirationEventIn].sort(), live.days)],
    ["description", description === undefined || description === live.description],
    ["tags", tags === undefined || same([...new Set(tags)].sort(), [...live.tags].sort())],
    ["deleteProtection", deleteProtection === undefined || deleteProtection === live.deleteProtection],
  ];
  return checks.filter(([, equal]) => !equal).map(([name]) => name);
}

/** The fields of the value, for create-certificate and update-certificate-value. Inline data needs the format. */
export function valueBody({ certificatePem, expirationEventIn = [] }: CertificateSettings): object {
  return {
    "certificate-data": Buffer.from(normalized(certificatePem)).toString("base64"),
    format: "pem",
    "expiration-event-in": expirationEventIn,
  };
}

function normalized(pem: string): string {
  return pemBlocks(pem)
    .map(({ text }) => text)
    .join("");
}
