import type { CheckResult } from "../provider.ts";
import { isObject, type Properties } from "../values.ts";
import { valueAt } from "./objects.ts";

/** Annotations by which a program tells Pulumi's provider how to handle an object, and those of them that are carried. */
const prefix = "pulumi.com/";
const carried = ["autonamed", "skipAwait"].map((name) => prefix + name);

/** What an object asks for that Pulumi's provider does and this one would ignore. */
export function refusals({ metadata }: Properties): CheckResult["failures"] {
  const annotations = valueAt(metadata, ["annotations"]);
  const unknown = Object.keys(isObject(annotations) ? annotations : {}).filter(
    (name) => name.startsWith(prefix) && !carried.includes(name),
  );
  return [
    ...(valueAt(metadata, ["generateName"]) === undefined
      ? []
      : [{ property: "metadata.generateName", reason: "is not supported; leave the name out" }]),
    ...unknown.map((name) => ({
      property: "metadata.annotations",
      reason: `the embedded engine does not carry ${name}; leave it out, or run this program with the Pulumi CLI`,
    })),
  ];
}
