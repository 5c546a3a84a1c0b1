import { EngineError } from "./errors.ts";
import { type Goal, withIgnoredChanges } from "./goal.ts";
import type { DiffRequest, Provider } from "./provider.ts";
import type { ResourceState } from "./state.ts";
import { isDefaultProvider, parseProviderRef, type Urn } from "./urn.ts";
import type { Properties } from "./values.ts";

/** What check and diff found a resource to need. */
export interface Plan {
  readonly operation: "same" | "create" | "update" | "replace";
  readonly inputs: Properties;
  readonly old: ResourceState | undefined;
  readonly diffs: readonly string[];
  readonly replaces: readonly string[];
  readonly deleteFirst: boolean;
}

/** Asks a provider what it takes to bring a resource to its goal. Throws `CHECK_FAILED` for inputs that it refuses. */
export async function planResource(
  goal: Goal,
  old: ResourceState | undefined,
  provider: Pick<Provider, "check" | "diff">,
): Promise<Plan> {
  const { urn } = goal;
  const news = withIgnoredChanges(goal.inputs, old?.inputs, goal.ignoreChanges);
  const asNew = () => check(provider, urn, undefined, news);
  if (old?.taint && !old.pendingReplacement) {
    const deleteFirst = goal.deleteBeforeReplace ?? false;
    return { operation: "replace", inputs: await asNew(), old, diffs: ["id"], replaces: ["id"], deleteFirst };
  }
  const checked = await check(provider, urn, old?.pendingReplacement ? undefined : old?.inputs, news);
  const none = { inputs: checked, old, diffs: [], replaces: [], deleteFirst: false };
  if (!old || old.pendingReplacement) return { ...none, operation: "create" };
  const diff = await provider.diff(changeOf(old, urn, checked, goal.ignoreChanges));
  const forced = diff.diffs.filter((path) => goal.replaceOnChanges.some((asked) => within(path, asked)));
  const moved = isProviderReplaced(goal, old) ? ["provider"] : [];
  const replaces = [...new Set([...diff.replaces, ...forced, ...moved])];
  const diffs = [...new Set([...diff.diffs, ...replaces])];
  if (replaces.length > 0) {
    // Without the old inputs: what takes another's place may not take over the name that was made up for it.
    const inputs = await asNew();
    const deleteFirst = goal.deleteBeforeReplace ?? diff.deleteBeforeReplace;
    return { operation: "replace", inputs, old, diffs, replaces, deleteFirst };
  }
  const update = diff.changes || (old.initErrors?.length ?? 0) > 0;
  return { ...none, diffs, operation: update ? "update" : "same" };
}

/** A change of a resource, as providers are asked about it. */
export function changeOf(
  old: ResourceState,
  urn: Urn,
  newInputs: Properties,
  ignoreChanges: readonly string[],
): DiffRequest {
  const { id = "", inputs = {}, outputs = {} } = old;
  return { urn, id, oldInputs: inputs, oldOutputs: outputs, newInputs, ignoreChanges };
}

async function check(provider: Pick<Provider, "check">, urn: Urn, olds: Properties | undefined, news: Properties) {
  const { inputs, failures } = await provider.check({ urn, olds, news });
  if (failures.length > 0) {
    const lines = failures.map(({ property, reason }) => (property ? `${property}: ${reason}` : reason));
    throw new EngineError("CHECK_FAILED", lines.join("\n"));
  }
  return inputs;
}

/** A resource moves with its provider, unless one default provider (an upgrade, say) takes over from another. */
function isProviderReplaced(goal: Goal, old: ResourceState): boolean {
  if (!goal.provider || !old.provider || goal.provider === old.provider) return false;
  const [now, before] = [parseProviderRef(goal.provider), parseProviderRef(old.provider)];
  if (isDefaultProvider(now.urn) && isDefaultProvider(before.urn)) return false;
  return now.id !== before.id;
}

/** Whether two property paths lead to the same value, or one into the other. */
function within(path: string, asked: string): boolean {
  return asked === "*" || path === asked || path.startsWith(`${asked}.`) || asked.startsWith(`${path}.`);
}
