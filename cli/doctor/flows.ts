/** The least rights that the deployer needs by flow, from the roles in examples/deployer-rights. */
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import type { Right } from "../../kubernetes/cluster/rights.ts";

export const flows = ["token", "certificate", "verifier"] as const;
export type Flow = (typeof flows)[number];

/** Namespace in the roles of the flows that have no roles for a generated namespace. */
export const exampleNamespace = "gateway-auth";

/** Path of the roles of a flow in this repository. @param namespace undefined for the default, a generated namespace */
export function rolesFile(flow: Flow, namespace: string | undefined): string {
  const isGenerated = flow === "token" && namespace === undefined;
  return `examples/deployer-rights/${flow}${isGenerated ? "-generated-namespace" : ""}.yaml`;
}

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
}

/**
 * The rights in the roles of a flow.
 *
 * @param namespace namespace in which the rights of a Role apply, instead of the one in the file; undefined for the default, a generated one
 */
export function rightsOf(flow: Flow, namespace: string | undefined): Right[] {
  const text = readFileSync(new URL(`../../${rolesFile(flow, namespace)}`, import.meta.url), "utf8");
  const objects = parseAllDocuments(text).map((document) => document.toJS() as { kind: string; rules?: Rule[] });
  return objects.flatMap(({ kind, rules = [] }) =>
    rules
      .flatMap(rightsOfRule)
      .map((right) => (kind === "Role" ? { ...right, namespace: namespace ?? exampleNamespace } : right)),
  );
}

function rightsOfRule(rule: Rule): Right[] {
  const { apiGroups = [], resources = [], resourceNames = [undefined], nonResourceURLs = [], verbs } = rule;
  return verbs.flatMap((verb) => [
    ...nonResourceURLs.map((nonResourcePath) => ({ verb, nonResourcePath })),
    ...apiGroups.flatMap((group) =>
      resources.flatMap((path) => {
        const [resource = "", subresource] = path.split("/");
        return resourceNames.map((name) => ({ verb, group, resource, subresource, name }));
      }),
    ),
  ]);
}
