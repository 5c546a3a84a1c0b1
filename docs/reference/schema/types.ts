/** Types of TypeScript as types of Pulumi's package schema. */
import ts from "typescript";
import { declared, tagOf, textOf } from "../program.ts";

/** @see https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/ */
export type TypeSpec = Readonly<Record<string, unknown>>;

export interface ObjectSpec {
  readonly properties: Readonly<Record<string, TypeSpec>>;
  readonly required: readonly string[];
}

const any: TypeSpec = { $ref: "pulumi.json#/Any" };
const anything: TypeSpec = { type: "object", additionalProperties: any };

/** Wrappers that do not change the type inside. */
const transparent = ["Input", "Output", "Readonly", "Partial"];

/** Names that a property can have in every language. An object with other names is a map. */
const identifier = /^[A-Za-z]\w*$/;

/** Converts types, and collects the named ones. */
export class TypeWriter {
  readonly types: Record<string, object> = {};
  readonly #checker: ts.TypeChecker;

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker;
  }

  /**
   * Properties by name.
   *
   * @param owner prefix for the names of anonymous types
   * @param plain whether to mark types that accept no outputs
   */
  shape(members: readonly ts.Symbol[], owner: string, plain = false): ObjectSpec {
    const properties = members.map((member) => {
      const node = typeOf(member);
      const type = this.convert(node, owner + capital(member.name));
      return [member.name, { ...(plain && this.#isPlain(node) ? asPlain(type) : type), ...this.#notes(member, type) }];
    });
    const required = members.filter((member) => !isOptional(member)).map(({ name }) => name);
    return { properties: Object.fromEntries(properties), required };
  }

  convert(node: ts.TypeNode, owner: string): TypeSpec {
    if (ts.isParenthesizedTypeNode(node) || ts.isTypeOperatorNode(node)) return this.convert(node.type, owner);
    if (ts.isArrayTypeNode(node)) return { type: "array", items: this.convert(node.elementType, singular(owner)) };
    if (ts.isTupleTypeNode(node)) {
      const [first] = node.elements;
      return { type: "array", items: first ? this.convert(first as ts.TypeNode, singular(owner)) : any };
    }
    if (ts.isUnionTypeNode(node)) return this.#union(node, owner);
    if (ts.isTypeReferenceNode(node)) return this.#reference(node, owner);
    if (ts.isIntersectionTypeNode(node) || ts.isTypeLiteralNode(node)) return this.#anonymous(node, owner);
    switch (node.kind) {
      case ts.SyntaxKind.StringKeyword:
        return { type: "string" };
      case ts.SyntaxKind.BooleanKeyword:
        return { type: "boolean" };
      case ts.SyntaxKind.NumberKeyword:
        // All numbers are whole: seconds, days, counts.
        return { type: "integer" };
      default:
        return any;
    }
  }

  #union(node: ts.UnionTypeNode, owner: string): TypeSpec {
    const members = node.types.filter(({ kind }) => kind !== ts.SyntaxKind.UndefinedKeyword);
    const [only] = members;
    if (only && members.length === 1) return this.convert(only, owner);
    const values = this.#literals(node);
    if (values) return this.#enumeration(owner, values);
    const types = members.map((member) => this.convert(member, owner));
    return types.every((type) => "$ref" in type && type !== any) ? { oneOf: types } : unionOf(types);
  }

  #reference(node: ts.TypeReferenceNode, owner: string): TypeSpec {
    const [inner, second] = node.typeArguments ?? [];
    const written = node.typeName.getText().split(".").at(-1) ?? "";
    if (transparent.includes(written) && inner) return this.convert(inner, owner);
    if (written === "Record" && second) {
      return { type: "object", additionalProperties: this.convert(second, singular(owner)) };
    }
    if (written === "Omit") return this.#anonymous(node, owner);
    const found = this.#checker.getSymbolAtLocation(node.typeName);
    const symbol = found && declared(found, this.#checker);
    const declaration = symbol?.declarations?.[0];
    if (symbol === undefined || declaration === undefined) return any;
    if (ts.isClassDeclaration(declaration)) return resource(symbol.name, declaration.getSourceFile().fileName);
    if (ts.isInterfaceDeclaration(declaration))
      return this.#object(this.#checker.getDeclaredTypeOfSymbol(symbol), written, symbol);
    if (!ts.isTypeAliasDeclaration(declaration)) return any;
    const values = this.#literals(node);
    if (values) return this.#enumeration(written, values, symbol);
    return ts.isIndexedAccessTypeNode(declaration.type) ? any : this.convert(declaration.type, written);
  }

  #anonymous(node: ts.TypeNode, name: string): TypeSpec {
    return this.#object(this.#checker.getTypeFromTypeNode(node), name);
  }

  #object(type: ts.Type, written: string, symbol?: ts.Symbol): TypeSpec {
    // The generators of SDKs append `Args`.
    const name = written.replace(/Args$/, "");
    const members = type.getProperties();
    const isOpen = this.#checker.getIndexInfosOfType(type).length > 0;
    if (isOpen || members.length === 0 || members.some((member) => !identifier.test(member.name))) return anything;
    const token = `k8sauth:index:${name}`;
    if (!(token in this.types)) {
      // The type is registered before its members, because they can refer to it.
      this.types[token] = {};
      this.types[token] = { type: "object", ...this.#meaning(symbol), ...this.shape(members, name) };
    }
    return { $ref: `#/types/${token}` };
  }

  #enumeration(name: string, values: readonly string[], symbol?: ts.Symbol): TypeSpec {
    const token = `k8sauth:index:${name}`;
    const members = values.map((value) => ({ value, ...(!identifier.test(value) && { name: enumName(value) }) }));
    this.types[token] = { type: "string", ...this.#meaning(symbol), enum: members };
    return { $ref: `#/types/${token}` };
  }

  /** The values of a type that consists of string literals. */
  #literals(node: ts.TypeNode): string[] | undefined {
    const type = this.#checker.getTypeFromTypeNode(node);
    const members = type.isUnion() ? type.types : [type];
    const known = members.filter(({ flags }) => !(flags & ts.TypeFlags.Undefined));
    if (known.length === 0 || !known.every((member) => member.isStringLiteral())) return undefined;
    // Sorted, because the compiler's order depends on the whole program.
    return known.map((member) => (member as ts.StringLiteralType).value).sort();
  }

  /** Whether a type contains no output and is no resource. */
  #isPlain(node: ts.TypeNode, seen: readonly ts.Type[] = []): boolean {
    const type = this.#checker.getTypeFromTypeNode(node);
    if (seen.includes(type)) return true;
    if (/\b(Input|Output)</.test(node.getText())) return false;
    const declaration = type.getSymbol()?.declarations?.[0];
    if (declaration && ts.isClassDeclaration(declaration)) return false;
    if (!(type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection))) return true;
    const members = type.getProperties().filter((member) => member.declarations?.some(ts.isPropertySignature));
    return members.every((member) => this.#isPlain(typeOf(member), [...seen, type]));
  }

  #meaning(symbol: ts.Symbol | undefined): { readonly description?: string } {
    const description = symbol ? textOf(symbol, this.#checker) : "";
    return description === "" ? {} : { description };
  }

  #notes(member: ts.Symbol, type: TypeSpec): TypeSpec {
    const text = textOf(member, this.#checker);
    const standard = tagOf(member, "default", this.#checker);
    const literal = literalOf(standard);
    const isObject = ["array", "object"].includes(String(type.type)) || "oneOf" in type;
    return {
      description: standard && standard !== "none" ? `${text} Default: ${standard}.` : text,
      ...(isSecret(text) && { secret: true }),
      ...(literal !== undefined && !isObject && { default: literal }),
    };
  }
}

/** A type that accepts no outputs, also not in its elements. */
function asPlain(type: TypeSpec): TypeSpec {
  const inner = Object.entries(type).map(([key, value]) => [
    key,
    key === "items" || (key === "additionalProperties" && value !== any) ? asPlain(value as TypeSpec) : value,
  ]);
  return { ...Object.fromEntries(inner), plain: true };
}

/** Whether a doc comment has the sentence "Secret." */
function isSecret(text: string): boolean {
  return /(^|[.)] )Secret\./.test(text.replace(/\s+/g, " "));
}

function unionOf(types: readonly TypeSpec[]): TypeSpec {
  return types.every((type) => type.type === "object" || "$ref" in type) ? anything : any;
}

/** The type of a class: a resource of this package or of the Kubernetes package. */
function resource(name: string, file: string): TypeSpec {
  const [, module] = /\/@pulumi\/kubernetes\/(.*)\/[^/]+\.d\.ts$/.exec(file) ?? [];
  if (module === undefined) return { $ref: `#/resources/k8sauth:index:${name}` };
  // A reference would name one version of the Kubernetes package. The user would need that version in addition to their own.
  return any;
}

function typeOf(member: ts.Symbol): ts.TypeNode {
  const declaration = member.declarations?.find((one) => ts.isPropertySignature(one) || ts.isPropertyDeclaration(one));
  if (!declaration?.type) throw new Error(`${member.name} has no type.`);
  return declaration.type;
}

function isOptional(member: ts.Symbol): boolean {
  return (member.flags & ts.SymbolFlags.Optional) !== 0 || /\| undefined$/.test(typeOf(member).getText());
}

function literalOf(text: string | undefined): string | number | boolean | undefined {
  if (text === undefined || !/^("[^"]*"|true|false|\d+)$/.test(text)) return undefined;
  return JSON.parse(text) as string | number | boolean;
}

/** A name for a value that is not an identifier. */
function enumName(value: string): string {
  return value === "*" ? "All" : value.split(/\W+/).map(capital).join("");
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function singular(text: string): string {
  return text.replace(/ies$/, "y").replace(/([^su])s$/, "$1");
}
