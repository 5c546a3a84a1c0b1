import { createHash } from "node:crypto";
import { EngineError } from "./errors.ts";
import type { Crypter } from "./secrets.ts";
import type { Urn } from "./urn.ts";
import { isObject, isSecret, type Properties, secret, secretSignature, signatureKey, type Value } from "./values.ts";

/**
 * A resource as Pulumi's state keeps it. In memory secrets hold their values; in the file, their ciphertexts. Fields
 * that the engine does not know are kept as they are.
 */
export interface ResourceState {
  urn: Urn;
  type: string;
  custom: boolean;
  id?: string;
  inputs?: Properties;
  outputs?: Properties;
  parent?: Urn;
  dependencies?: Urn[];
  propertyDependencies?: Record<string, Urn[]>;
  /** `URN::ID` of the provider. */
  provider?: string;
  additionalSecretOutputs?: string[];
  protect?: boolean;
  retainOnDelete?: boolean;
  external?: boolean;
  /** A replaced resource that is still to be deleted. */
  delete?: boolean;
  /** Deleted already by a replacement that deletes first, and still to be made again. */
  pendingReplacement?: boolean;
  initErrors?: string[];
  created?: string;
  modified?: string;
  [field: string]: unknown;
}

/** Work that was under way when the state was last saved: after a crash, what may or may not have happened. */
export interface PendingOperation {
  resource: ResourceState;
  type: "creating" | "updating" | "deleting" | "reading";
}

export interface Deployment {
  manifest?: { time: string; magic: string; version: string };
  secrets_providers?: { type: string; state?: { salt?: string; [field: string]: unknown } };
  resources?: ResourceState[];
  pending_operations?: PendingOperation[];
  metadata?: Record<string, unknown>;
  [field: string]: unknown;
}

/** The deployment's manifest: `magic` is the SHA-256 of `version`, which Pulumi checks. */
export function manifest(version: string, time: Date): NonNullable<Deployment["manifest"]> {
  return { time: time.toISOString(), magic: createHash("sha256").update(version).digest("hex"), version };
}

/** Ciphertexts of secrets that have not changed, so that saving again writes the same bytes. */
const ciphertexts = new WeakMap<object, { crypter: Crypter; ciphertext: string }>();

/** Replaces the secrets of anything read from a state file by what they hold. */
export function decryptSecrets<T>(json: T, crypter: Crypter | undefined): T {
  return mapObjects(json, (object) => {
    if (object[signatureKey] !== secretSignature) return undefined;
    // Of an export with --show-secrets.
    if (typeof object.plaintext === "string") return secret(JSON.parse(object.plaintext) as Value);
    if (typeof object.ciphertext !== "string") return undefined;
    if (!crypter) {
      throw new EngineError("STATE_CORRUPT", "The state holds secrets but names no secrets provider to decrypt them.");
    }
    const value = JSON.parse(crypter.decrypt(object.ciphertext)) as Value;
    const plaintext = { [signatureKey]: secretSignature, value };
    ciphertexts.set(plaintext, { crypter, ciphertext: object.ciphertext });
    return plaintext;
  });
}

/** Replaces the secrets of a state by their ciphertexts: the only form in which a state is ever written. */
export function encryptSecrets<T>(state: T, crypter: Crypter): T {
  return mapObjects(state, (object) => {
    if (!isSecret(object as Value)) return undefined;
    const known = ciphertexts.get(object);
    if (known?.crypter === crypter) return { [signatureKey]: secretSignature, ciphertext: known.ciphertext };
    const ciphertext = crypter.encrypt(JSON.stringify(object.value ?? null));
    ciphertexts.set(object, { crypter, ciphertext });
    return { [signatureKey]: secretSignature, ciphertext };
  });
}

/** Puts the plaintext of secrets in the place of their ciphertexts, as `pulumi stack export --show-secrets` does. */
export function revealSecrets<T>(json: T, crypter: Crypter | undefined): T {
  return mapObjects(decryptSecrets(json, crypter), (object) =>
    isSecret(object as Value)
      ? { [signatureKey]: secretSignature, plaintext: JSON.stringify(object.value ?? null) }
      : undefined,
  );
}

/** Copies a JSON value; where `replace` answers an object, that stands in the copy. */
function mapObjects<T>(value: T, replace: (object: Record<string, unknown>) => object | undefined): T {
  if (Array.isArray(value)) return value.map((item) => mapObjects(item, replace)) as T;
  if (!isObject(value)) return value;
  const replaced = replace(value as Record<string, unknown>);
  if (replaced) return replaced as T;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapObjects(item, replace)])) as T;
}

/** Every URN that must be there before this resource can be: dependencies, parent and provider. */
export function dependenciesOf(resource: ResourceState): Set<Urn> {
  const urns = new Set<Urn>(resource.dependencies ?? []);
  for (const list of Object.values(resource.propertyDependencies ?? {})) for (const urn of list) urns.add(urn);
  if (resource.parent) urns.add(resource.parent);
  if (typeof resource.deletedWith === "string" && resource.deletedWith) urns.add(resource.deletedWith);
  if (resource.provider) urns.add(resource.provider.slice(0, resource.provider.lastIndexOf("::")));
  return urns;
}

/** Drops references to resources that are no longer there, as Pulumi does after a refresh: dangling ones break a state. */
export function withoutDangling(resources: ResourceState[]): ResourceState[] {
  const present = new Set(resources.map((resource) => resource.urn));
  const keep = (urns: Urn[] | undefined) => urns?.filter((urn) => present.has(urn));
  return resources.map((resource) => ({
    ...resource,
    ...(resource.dependencies && { dependencies: keep(resource.dependencies) }),
    ...(resource.propertyDependencies && {
      propertyDependencies: Object.fromEntries(
        Object.entries(resource.propertyDependencies).map(([key, urns]) => [key, keep(urns) as Urn[]]),
      ),
    }),
  }));
}
