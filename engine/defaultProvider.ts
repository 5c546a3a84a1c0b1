import type { Goal } from "./goal.ts";
import { makeUrn, packageOf, providerTypePrefix } from "./urn.ts";
import type { Properties } from "./values.ts";

/**
 * The registration that Pulumi's engine makes by itself for resources without a provider of their own: `default`, or
 * `default_4_34_2` for a package of that version, with the stack's settings for the package.
 */
export function defaultProviderGoal(
  { type, version }: Goal,
  stack: string,
  project: string,
  settings: (packageName: string) => Properties,
): Goal {
  const name = packageOf(type);
  const providerType = `${providerTypePrefix}${name}`;
  const resourceName = version ? `default_${version.replaceAll(/[.+-]/g, "_")}` : "default";
  return {
    urn: makeUrn(stack, project, undefined, providerType, resourceName),
    type: providerType,
    custom: true,
    parent: undefined,
    inputs: { __internal: {}, ...settings(name), ...(version && { version }) },
    dependencies: [],
    propertyDependencies: {},
    provider: undefined,
    version,
    protect: undefined,
    retainOnDelete: undefined,
    deleteBeforeReplace: undefined,
    ignoreChanges: [],
    replaceOnChanges: [],
    additionalSecretOutputs: [],
    aliases: [],
  };
}

/** A provider keeps the version of its package among its inputs, as Pulumi's own engine has it. */
export function withVersion(goal: Goal): Goal {
  if (!goal.version || goal.inputs.version !== undefined) return goal;
  return { ...goal, inputs: { ...goal.inputs, version: goal.version } };
}
