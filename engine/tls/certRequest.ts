import type { CheckResult, Created } from "../provider.ts";
import { containsUnknown, isObject, type Properties, secret, unknown, type Value, withoutSecrets } from "../values.ts";
import { isAddress, isDnsName, isUri } from "./alternativeNames.ts";
import { certificateRequest } from "./csr.ts";
import { idOf } from "./identity.ts";
import { algorithmOf, readKey } from "./keys.ts";
import { pem } from "./pem.ts";
import type { ResourceType } from "./resourceType.ts";
import { type Subject, subjectTexts } from "./subject.ts";

const lists = {
  dnsNames: { test: isDnsName, what: "DNS names in ASCII (the xn-- form of others)" },
  ipAddresses: { test: isAddress, what: "IP addresses" },
  uris: { test: isUri, what: "URIs with a scheme" },
} as const;
const listNames = Object.keys(lists) as (keyof typeof lists)[];

const inputNames: readonly string[] = ["privateKeyPem", "subject", ...listNames];

/** `tls.CertRequest`. */
export const certRequest: ResourceType = { inputs: inputNames, check, complete: withoutNulls, create };

type Fail = (property: string, reason: string) => void;

function check(news: Properties): CheckResult {
  const failures: { property: string; reason: string }[] = [];
  const fail: Fail = (property, reason) => failures.push({ property, reason });
  for (const key of Object.keys(news)) {
    if (!inputNames.includes(key)) fail(key, `is no input of it (${inputNames.join(", ")})`);
  }
  const bare = withoutSecrets(news);
  checkKey(bare.privateKeyPem, fail);
  checkSubject(bare.subject, fail);
  for (const name of listNames) checkList(bare[name], name, fail);
  const { privateKeyPem } = news;
  const inputs = privateKeyPem === undefined ? news : { ...news, privateKeyPem: secret(privateKeyPem) };
  return { inputs, failures };
}

async function create(inputs: Properties): Promise<Created> {
  const given = withoutNulls(inputs);
  const { privateKeyPem, subject, ...names } = withoutSecrets(given);
  const key = readKey(String(privateKeyPem));
  if (!key) throw new Error(`privateKeyPem: ${unreadableKey}`);
  const list = (name: keyof typeof lists) => (names[name] ?? []) as string[];
  const der = await certificateRequest(key, (subject ?? {}) as Subject, {
    dnsNames: list("dnsNames"),
    ipAddresses: list("ipAddresses"),
    uris: list("uris"),
  });
  const outputs = {
    ...given,
    __pulumi_raw_state_delta: rawStateDelta(withoutSecrets(given)),
    certRequestPem: pem("CERTIFICATE REQUEST", der),
    id: idOf(der),
    keyAlgorithm: algorithmOf(key),
  };
  return { id: outputs.id, outputs };
}

const unreadableKey =
  "is no private key that a request can be made of: it must be one RSA, ECDSA (P-224, P-256, P-384, P-521) or Ed25519 " +
  "key in PEM (RSA PRIVATE KEY, EC PRIVATE KEY or PRIVATE KEY), not encrypted";

function checkKey(value: Value | undefined, fail: Fail): void {
  if (containsUnknown(value)) return;
  if (value === undefined || value === null) fail("privateKeyPem", "is missing");
  else if (typeof value !== "string" || !readKey(value)) fail("privateKeyPem", unreadableKey);
}

function checkSubject(value: Value | undefined, fail: Fail): void {
  if (value === undefined || value === null || value === unknown) return;
  if (!isObject(value)) {
    fail("subject", "must be an object");
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    const path = `subject.${key}`;
    if (item === undefined || item === null || containsUnknown(item)) continue;
    if (key === "streetAddresses") {
      if (!isTexts(item)) fail(path, "must be a list of texts");
    } else if (!(subjectTexts as readonly string[]).includes(key)) {
      fail(path, `is no part of a subject (${subjectTexts.join(", ")}, streetAddresses)`);
    } else if (typeof item !== "string") {
      fail(path, "must be text");
    } else if (key === "emailAddress" && !/^[\x20-\x7e]*$/.test(item)) {
      fail(path, "must be ASCII");
    }
  }
}

function checkList(value: Value | undefined, name: keyof typeof lists, fail: Fail): void {
  if (value === undefined || value === null || containsUnknown(value)) return;
  const { test, what } = lists[name];
  if (!isTexts(value) || !value.every(test)) fail(name, `must be a list of ${what}`);
}

function isTexts(value: Value): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** The properties without those that are null, also in the subject: what is null was not given. */
function withoutNulls(properties: Properties): Properties {
  const given = Object.entries(properties).filter(([, item]) => item !== null && item !== undefined);
  return Object.fromEntries(given.map(([key, item]) => [key, isObject(item) ? withoutNulls(item) : item]));
}

/**
 * What Pulumi's bridge keeps to get from a resource's properties to the state of the Terraform provider below it: lists
 * and the one nested block by their shape, and what is absent here but null (or an empty block) there.
 */
function rawStateDelta(inputs: Properties): Value {
  const absent = (raw: Value): Value => secret({ replace: { raw } });
  const list = (value: Value | undefined): Value => (value === undefined ? absent(null) : { arr: {} });
  const ps: Record<string, Value> = {};
  for (const name of listNames) ps[name] = list(inputs[name]);
  ps.subject = absent([]);
  const { subject } = inputs;
  if (isObject(subject)) {
    const parts: Record<string, Value> = {};
    for (const name of subjectTexts) if (subject[name] === undefined) parts[name] = absent(null);
    parts.streetAddresses = list(subject.streetAddresses);
    ps.subject = { plu: { i: { obj: { ps: parts, renamed: { streetAddresses: "street_address" } } } } };
  }
  return { obj: { ps } };
}
