import { EngineError } from "./errors.ts";

/** A resource's unique name: `urn:pulumi:STACK::PROJECT::PARENTTYPE$TYPE::NAME`. */
export type Urn = string;

const prefix = "urn:pulumi:";
export const stackType = "pulumi:pulumi:Stack";
export const providerTypePrefix = "pulumi:providers:";

export interface UrnParts {
  readonly stack: string;
  readonly project: string;
  /** The types of the ancestors below the stack and its own, joined by `$`. */
  readonly qualifiedType: string;
  readonly name: string;
}

export function parseUrn(urn: Urn): UrnParts {
  const [stack, project, qualifiedType, ...name] = urn.startsWith(prefix) ? urn.slice(prefix.length).split("::") : [];
  if (!stack || !project || !qualifiedType || name.length === 0) {
    throw new EngineError("STATE_CORRUPT", `"${urn}" is not a resource URN (urn:pulumi:STACK::PROJECT::TYPE::NAME).`);
  }
  return { stack, project, qualifiedType, name: name.join("::") };
}

/** The URN of a resource; the stack's own type does not enter the URNs of its children. */
export function makeUrn(stack: string, project: string, parent: Urn | undefined, type: string, name: string): Urn {
  const parentType = parent ? parseUrn(parent).qualifiedType : "";
  const qualified = parentType && parentType !== stackType ? `${parentType}$${type}` : type;
  return `${prefix}${stack}::${project}::${qualified}::${name}`;
}

/** The resource's own type, without its ancestors'. */
export function typeOf(urn: Urn): string {
  return parseUrn(urn).qualifiedType.split("$").at(-1) as string;
}

export function nameOf(urn: Urn): string {
  return parseUrn(urn).name;
}

/** The package of a type token: `kubernetes` of `kubernetes:core/v1:Secret`, also of `pulumi:providers:kubernetes`. */
export function packageOf(type: string): string {
  return isProviderType(type) ? type.slice(providerTypePrefix.length) : (type.split(":")[0] as string);
}

export function isProviderType(type: string): boolean {
  return type.startsWith(providerTypePrefix);
}

/** A provider as resources refer to it: its URN and id. */
export interface ProviderRef {
  readonly urn: Urn;
  readonly id: string;
}

export function parseProviderRef(ref: string): ProviderRef {
  const at = ref.lastIndexOf("::");
  if (at <= 0) throw new EngineError("STATE_CORRUPT", `"${ref}" is not a provider reference (URN::ID).`);
  return { urn: ref.slice(0, at), id: ref.slice(at + 2) };
}

export function formatProviderRef(ref: ProviderRef): string {
  return `${ref.urn}::${ref.id}`;
}

/** Default providers are named `default` or `default_VERSION`, with the version's dots as underscores. */
export function isDefaultProvider(urn: Urn): boolean {
  return isProviderType(typeOf(urn)) && /^default($|_)/.test(nameOf(urn));
}
