import type { Document, Pair } from "yaml";

/** A text that cannot be read. Kubeconfigs contain credentials, so the message states the line and quotes nothing. */
export class TextError extends Error {}

/**
 * Decodes the bytes of a kubeconfig: UTF-8, or UTF-16 with a byte order mark, as YAML allows (YAML 1.1, section 5.2).
 *
 * @throws TextError
 */
export function decodeText(bytes: Buffer): string {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
  try {
    // The decoder removes the byte order mark.
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new TextError(`it is not ${encoding.toUpperCase()}`);
  }
}

/**
 * Parses JSON, or the first document of YAML 1.1, as kubectl does: the last of repeated keys has precedence, and a merge key (`<<`) overrides
 * the keys before it. Undefined for a text without a document.
 *
 * @throws TextError
 */
export async function parseText(content: string): Promise<unknown> {
  if (content.trimStart().startsWith("{")) {
    try {
      return JSON.parse(content);
    } catch {
      // YAML's flow style starts with a brace too.
    }
  }
  const yaml = await import("yaml");
  const [document] = yaml.parseAllDocuments(content, {
    // Pretty errors quote the lines around them.
    prettyErrors: false,
    version: "1.1",
    uniqueKeys: false,
    // Go's parser reads dates and "12:30" as text.
    customTags: (tags) =>
      tags.filter((tag) => typeof tag === "string" || (tag.tag !== timestamp && (tag as Formatted).format !== "TIME")),
  });
  if (document === undefined) return undefined;
  const [error] = document.errors;
  if (error) throw new TextError(`line ${content.slice(0, error.pos[0]).split("\n").length}: ${error.code}`);
  try {
    if (content.includes("<<")) orderMerges(document as Document, yaml);
    return document.toJS();
  } catch {
    throw new TextError("an alias or a merge key does not refer to a mapping");
  }
}

const timestamp = "tag:yaml.org,2002:timestamp";

interface Formatted {
  readonly format?: string;
}

/**
 * Rewrites mappings that have a merge key after another key. In the library, the mapping's own keys have precedence, and the first of several
 * merge keys. In kubectl's parser, the later key has precedence.
 */
function orderMerges(document: Document, yaml: typeof import("yaml")): void {
  const isMerge = (pair: Pair) => yaml.isScalar(pair.key) && typeof pair.key.value === "symbol";
  const listed = (value: unknown) => (yaml.isSeq(value) ? value.items : [value]);
  yaml.visit(document, {
    Map(_, map) {
      const last = map.items.findLast(isMerge);
      if (last === undefined || map.items[0] === last) return undefined;
      const merged: unknown[] = [];
      let kept: Pair[] = [];
      for (const pair of map.items) {
        if (!isMerge(pair)) {
          kept.push(pair);
          continue;
        }
        const overridden = new Set(
          listed(pair.value).flatMap((source) =>
            yaml.isNode(source) ? Object.keys(source.toJS(document) as object) : [],
          ),
        );
        kept = kept.filter(({ key }) => !yaml.isScalar(key) || !overridden.has(String(key.value)));
        merged.unshift(...listed(pair.value));
        if (pair === last) kept.push(pair);
      }
      const list = new yaml.YAMLSeq();
      list.items = merged;
      last.value = list;
      map.items = kept;
      return undefined;
    },
  });
}
