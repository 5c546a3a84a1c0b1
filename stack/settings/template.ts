import { schema } from "./schema.ts";
import type { Schema } from "./setting.ts";

const start = "# Generated from stack/settings by `npm run generate`: the questions of `pulumi new`.\n";

/** Settings for which `pulumi new` asks. Many stacks need no others. */
const asked = ["context", "kubernetesHost", "audience"] as const satisfies readonly (keyof typeof schema)[];

/** Replaces the template at the end of Pulumi.yaml. @param file content of the file @throws Error if the file has no template */
export function withTemplate(file: string): string {
  const from = file.indexOf(start);
  if (from < 0) throw new Error(`Pulumi.yaml has no template: the line "${start.trim()}" is missing.`);
  const settings = asked.map((name) => `    k8sauth:${name}:\n      description: ${JSON.stringify(question(name))}\n`);
  return `${file.slice(0, from)}${start}template:\n  config:\n${settings.join("")}`;
}

/** The first sentence of a setting's description, without Markdown. */
function question(name: (typeof asked)[number]): string {
  const { description, unset = "" } = (schema as Schema)[name] ?? { description: "" };
  const [sentence = ""] = description.replaceAll("`", "").split(/(?<=\.) /);
  return unset === "required" ? sentence : `${sentence} Empty: ${unset}.`;
}
