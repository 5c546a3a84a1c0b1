import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KubeClient, KubeObject } from "../../kubernetes/index.ts";

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

interface Schema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly "x-kubernetes-group-version-kind"?: readonly GroupVersionKind[];
}

interface OpenApi {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** Writes the JSON schemas of the manifests' kinds into a folder, under kubeconform's names, from the server's own OpenAPI. */
export async function writeSchemas(
  client: KubeClient,
  manifests: readonly KubeObject[],
  folder: string,
): Promise<void> {
  const versions = new Set(manifests.map(({ apiVersion }) => String(apiVersion)));
  for (const apiVersion of versions) {
    const kinds = new Set(
      manifests.filter((object) => object.apiVersion === apiVersion).map(({ kind }) => String(kind)),
    );
    const document = await client.get<OpenApi>(
      `/openapi/v3/${apiVersion.includes("/") ? `apis/${apiVersion}` : `api/${apiVersion}`}`,
    );
    for (const kind of kinds) {
      const schema = kindSchema(document, apiVersion, kind);
      if (schema) await writeFile(join(folder, schemaFile(apiVersion, kind)), JSON.stringify(schema));
    }
  }
}

/** Source: `schemaPath` of kubeconform's registry. */
function schemaFile(apiVersion: string, kind: string): string {
  const [group = "", version] = apiVersion.split("/");
  const short = group.split(".")[0];
  return [kind, short, version].filter(Boolean).join("-").toLowerCase().concat(".json");
}

/**
 * The JSON schema of one kind. Strict: what a schema does not name is refused, wherever it does not say itself that it
 * takes more. Undefined where the server has no such kind.
 */
function kindSchema({ components }: OpenApi, apiVersion: string, kind: string): object | undefined {
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  const found = Object.entries(components.schemas).find(([, schema]) =>
    schema["x-kubernetes-group-version-kind"]?.some(
      (gvk) => gvk.kind === kind && gvk.version === version && gvk.group === group,
    ),
  );
  if (!found) return undefined;
  const schemas = strict(components.schemas);
  return {
    $schema: "http://json-schema.org/draft-04/schema#",
    $ref: `#/definitions/${found[0]}`,
    definitions: schemas,
  };
}

function strict(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(strict);
  if (typeof node !== "object" || node === null) return node;
  const entries = Object.entries(node).map(([key, value]): [string, unknown] => [
    key,
    key === "$ref" ? String(value).replace("#/components/schemas/", "#/definitions/") : strict(value),
  ]);
  const schema = Object.fromEntries(entries);
  const open =
    "additionalProperties" in schema ||
    schema["x-kubernetes-preserve-unknown-fields"] === true ||
    !isObject(schema.properties);
  return open ? schema : { ...schema, additionalProperties: false };
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
