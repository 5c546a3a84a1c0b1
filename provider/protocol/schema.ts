import schema from "../schema.json" with { type: "json" };
import type { Meanings } from "./fields.ts";

/** The part of the schema that the plugin itself reads. @see https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/ */
interface Schema {
  readonly provider: { readonly inputProperties: Meanings };
  readonly resources: Readonly<Record<string, { readonly inputProperties: Meanings }>>;
}

/** `npm run generate` writes it from the classes of components/ and the functions of gateways/. */
const { provider, resources }: Schema = schema;

/** The package schema, as Pulumi asks for it. */
export function packageSchema(version: string): string {
  return JSON.stringify({ ...schema, version });
}

export const providerMeanings = provider.inputProperties;

/** Meanings of the inputs of a type. */
export function meaningsOf(type: string): Meanings {
  return resources[type]?.inputProperties ?? {};
}
