/** The least rights that the deployer needs by flow, from the roles in examples/deployer-rights. */
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import type { Right } from "../../kubernetes/cluster/rights.ts";

export const flows = ["token", "certificate", "verifier"] as const;
export type Flow = (typeof flows)[number];

/** Namespace in the roles. */
export const exampleNamespace = "gateway-auth";

/** The setup of a stack for which the rights of a flow are examined. */
export interface Setup {
  /** Path of the flow's roles in this repository. */
  readonly roles: string;
  /** Namespace in which the rights of a Role apply; undefined for a generated one. */
  readonly namespace: string | undefined;
}

/** Only the token flow has roles for the default, a generated namespace. @param namespace undefined for the default */
export function setupOf(flow: Flow, namespace: string | undefined): Setup {
  const isGenerated = flow === "token" && namespace === undefined;
  return {
    roles: `examples/deployer-rights/${flow}${isGenerated ? "-generated-namespace" : ""}.yaml`,
    namespace: isGenerated ? undefined : (namespace ?? exampleNamespace),
  };
}

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
}

/** The rights in the roles of a setup. Those of a Role apply in its namespace instead of the one in the file. */
export function rightsOf({ roles, namespace }: Setup): Right[] {
  const text = readFileSync(new URL(`../../${roles}`, import.meta.url), "utf8");
  const objects = parseAllDocuments(text).map((document) => document.toJS() as { kind: string; rules?: Rule[] });
  return objects.flatMap(({ kind, rules = [] }) =>
    rules.flatMap(rightsOfRule).map((right) => (kind === "Role" ? { ...right, namespace } : right)),
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
