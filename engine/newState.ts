import type { Goal } from "./goal.ts";
import type { ResourceState } from "./state.ts";
import { isProviderType } from "./urn.ts";
import { equal, isSecret, type Properties, secret } from "./values.ts";

/** What a step made of a resource. */
export interface Made {
  readonly id?: string;
  readonly inputs: Properties;
  readonly outputs: Properties | undefined;
  readonly old: ResourceState | undefined;
  readonly changed: boolean;
  readonly initErrors?: string[];
  readonly now: Date;
}

/** The state that a goal and a step's result come to. Fields that the engine does not know stay from the old state. */
export function newState(goal: Goal, { id, inputs, outputs, old, changed, initErrors, now }: Made): ResourceState {
  const time = now.toISOString();
  const listed = <T>(list: readonly T[]) => (list.length > 0 ? [...list] : undefined);
  return {
    ...old,
    urn: goal.urn,
    custom: goal.custom,
    id: id || undefined,
    type: goal.type,
    inputs: goal.custom || Object.keys(inputs).length > 0 ? kept(old?.inputs, inputs) : undefined,
    outputs: outputs && kept(old?.outputs, withSecretOutputs(outputs, inputs, goal.additionalSecretOutputs)),
    parent: goal.parent,
    protect: goal.protect || undefined,
    taint: undefined,
    retainOnDelete: goal.retainOnDelete || undefined,
    dependencies: listed(goal.dependencies),
    provider: goal.provider,
    propertyDependencies: goal.custom && !isProviderType(goal.type) ? goal.propertyDependencies : undefined,
    additionalSecretOutputs: listed(goal.additionalSecretOutputs),
    replaceOnChanges: listed(goal.replaceOnChanges),
    initErrors,
    pendingReplacement: undefined,
    delete: undefined,
    created: old?.created ?? time,
    modified: changed ? time : (old?.modified ?? time),
  };
}

/** Values that have not changed stay the same objects, so that their secrets keep their ciphertexts. */
export function kept(before: Properties | undefined, now: Properties): Properties {
  return before && equal(before, now) ? before : now;
}

/** Marks the outputs that the program names, and those whose input of the same name is secret. */
export function withSecretOutputs(outputs: Properties, inputs: Properties, named: readonly string[]): Properties {
  const result = { ...outputs };
  for (const key of [...named, ...Object.keys(inputs).filter((input) => isSecret(inputs[input]))]) {
    const value = result[key];
    if (value !== undefined) result[key] = secret(value);
  }
  return result;
}
