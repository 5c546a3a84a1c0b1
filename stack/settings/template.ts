import { schema } from "./schema.ts";
import type { Schema } from "./setting.ts";

const start = "# Generated from stack/settings by `npm run generate`: the questions of `pulumi new`.\n";

/** Settings that `pulumi new` asks for. Many stacks need no other ones. */
const asked = ["context", "kubernetesHost", "audience"] as const satisfies readonly (keyof typeof schema)[];

/** Pulumi.yaml with its template up to date. It ends the file. @throws Error if the file has no place for it */
export function withTemplate(file: string): string {
  const from = file.indexOf(start);
  if (from < 0) throw new Error(`Pulumi.yaml has no place for the template, after "${start.trim()}".`);
  const settings = asked.map((name) => `    k8sauth:${name}:\n      description: ${JSON.stringify(question(name))}\n`);
  return `${file.slice(0, from)}${start}template:\n  config:\n${settings.join("")}`;
}

/** The first sentence of a setting's description, without Markdown. */
function question(name: (typeof asked)[number]): string {
  const { description, unset = "" } = (schema as Schema)[name] ?? { description: "" };
  const [sentence = ""] = description.replaceAll("`", "").split(/(?<=\.) /);
  return unset === "required" ? sentence : `${sentence} Empty: ${unset}.`;
}
