import { isProviderError, ProviderError } from "../protocol/errors.ts";
import { type CheckFailure, type Fields, same } from "../protocol/fields.ts";
import type { Context, Resource, State } from "../protocol/resource.ts";
import type { AkeylessApi } from "./api/api.ts";
import {
  type ApiInputs,
  absolute,
  apiFields,
  apiFor,
  apiOutputs,
  checkEndpoint,
  checkName,
  samePath,
  storedApi,
  storedEndpoint,
} from "./api/endpoint.ts";
import {
  changed,
  changedPaths,
  commonChanges,
  type Described,
  describedBody,
  describedUpdate,
  driftField,
  notImportable,
  orphanWarning,
  refreshObject,
} from "./api/object.ts";
import type { Shaped } from "./api/shape.ts";

/** A right of a role: what it may do with the objects under a path. */
export interface Rule {
  /** Path of the objects. A `*` at the end covers a folder. */
  readonly path: string;
  readonly capabilities: readonly string[];
  /** @default "item-rule" */
  readonly type?: string;
}

export interface RoleInputs extends ApiInputs, Described {
  readonly name: string;
  readonly rules: readonly Rule[];
}

export interface RoleOutputs extends ApiInputs {
  readonly name: string;
  readonly drift: readonly string[];
}

type RoleState = State<RoleInputs, RoleOutputs>;

/** Types of rules that the resource manages. Rules of other types, such as access to reports, stay as they are. */
const ruleTypes = ["item-rule", "target-rule", "role-rule", "auth-method-rule"];
const capabilities = ["read", "create", "update", "delete", "list", "deny"];

const ruleFields: Fields = {
  path: { type: "string", required: true },
  capabilities: { type: "strings", required: true },
  type: { type: "string" },
};

const inputs: Fields = {
  ...apiFields,
  name: { type: "string", required: true },
  rules: { type: "objects", fields: ruleFields, required: true },
  description: { type: "string" },
  deleteProtection: { type: "boolean" },
};

const outputs: Fields = {
  ...apiFields,
  name: { type: "string" },
  ...driftField,
};

const ruleShape = { path: "string", type: "string", capabilities: ["string"] } as const;

const roleShape = {
  comment: "string",
  delete_protection: "boolean",
  rules: { path_rules: [ruleShape] },
  role_auth_methods_assoc: [{}],
} as const;

type LiveRule = Shaped<typeof ruleShape>;
type Live = Shaped<typeof roleShape>;

/** A role and its rules. A new name and other rules are updates, so the associations stay. */
export const akeylessRole: Resource<RoleInputs, RoleOutputs> = {
  type: "k8sauth:index:AkeylessRole",
  inputs,
  outputs,

  check({ known, unknown }) {
    return [
      ...checkEndpoint("apiUrl", known.apiUrl, known.caPem),
      ...checkName("name", known.name),
      ...(unknown.has("rules") ? [] : checkRules(known.rules ?? [])),
    ];
  },

  async create(given, context) {
    const api = apiFor(given, context);
    await createRole(api, given, context);
    await reconcileRules(api, given);
    return { id: given.name, outputs: outputsOf(given) };
  },

  async previewCreate({ known }) {
    return { outputs: outputsOf(known) };
  },

  async diff(state, { known, unknown }) {
    return {
      ...changed(["rules", "description", "deleteProtection"], state.inputs, known, unknown),
      ...changedPaths(["name"], state.inputs, known, unknown),
      ...commonChanges(state, known, unknown),
    };
  },

  async previewUpdate(state, { known }) {
    return { outputs: { ...state.outputs, ...outputsOf(known) } };
  },

  async update(state, given, context) {
    const api = apiFor(given, context);
    const name = await currentName(api, state, given.name);
    if (storedEndpoint(state).apiUrl !== given.apiUrl && (await find(api, name)) === undefined) {
      context.log.warn(orphanWarning(`The role "${name}"`, storedEndpoint(state).apiUrl));
      await createRole(api, given, context);
    }
    const body = {
      name,
      ...(samePath(name, given.name) ? {} : { "new-name": given.name }),
      ...describedBody(describedUpdate(given, state.inputs)),
    };
    if (Object.keys(body).length > 1) await api.call("/update-role", body, "repeatable");
    await reconcileRules(api, given);
    return outputsOf(given);
  },

  async read(state, context) {
    const { name } = state.outputs;
    if (name === undefined || state.inputs.rules === undefined) {
      throw notImportable(
        "A role cannot be imported.",
        "Associate the auth method with the existing role instead, or declare a role of another name.",
      );
    }
    return refreshObject(
      `The role "${name}"`,
      state,
      context,
      (api) => find(api, name),
      (live) => differences(state.inputs, live),
    );
  },

  async delete(state, context) {
    await storedApi(state, context).remove("/delete-role", { name: state.outputs.name ?? state.id });
  },
};

function outputsOf(given: Partial<RoleInputs>): RoleOutputs {
  return { ...apiOutputs(given), name: given.name as string, drift: [] };
}

function find(api: AkeylessApi, name: string): Promise<Live | undefined> {
  return api.find("/get-role", { name }, roleShape);
}

async function createRole(api: AkeylessApi, given: RoleInputs, context: Context): Promise<void> {
  const { name } = given;
  try {
    await api.call("/create-role", { name, ...describedBody(given) }, "once");
  } catch (error) {
    if (!isProviderError(error, "AKEYLESS_EXISTS")) throw error;
    const live = await find(api, name);
    if (live === undefined || !isLeftover(given, live)) {
      throw new ProviderError(
        "AKEYLESS_NAME_TAKEN",
        error.message,
        "Associate the auth method with the existing role instead, or choose another name.",
      );
    }
    context.log.info(`The role "${name}" exists already, from an earlier run: it is taken over.`);
  }
}

/** Whether a role can be from a run that was killed: it has no association, and no rule that this stack does not set. */
function isLeftover(given: RoleInputs, live: Live): boolean {
  const wanted = new Map(given.rules.map((rule) => [keyOf(rule), rule]));
  const known = (live.rules?.path_rules ?? []).every((rule) => isDenial(rule) || wanted.has(keyOf(rule)));
  return known && (live.role_auth_methods_assoc ?? []).length === 0;
}

/** The current name of the role. It is already the new one if a run renamed the role and was killed. */
async function currentName(api: AkeylessApi, { outputs }: RoleState, wanted: string): Promise<string> {
  const before = outputs.name ?? wanted;
  if (samePath(before, wanted) || (await find(api, before)) !== undefined) return before;
  return wanted;
}

/** Sets rules that are missing or differ, deletes rules that the program does not list, and reads the result back. */
async function reconcileRules(api: AkeylessApi, given: RoleInputs): Promise<void> {
  const { name, rules } = given;
  const { missing, surplus } = compare(rules, await find(api, name));
  for (const rule of surplus) {
    await api.remove("/delete-role-rule", { "role-name": name, path: rule.path, "rule-type": typeOf(rule) });
  }
  for (const rule of missing) {
    const body = {
      "role-name": name,
      path: rule.path,
      "rule-type": typeOf(rule),
      capability: [...rule.capabilities],
    };
    await api.call("/set-role-rule", body, "repeatable");
  }
  if (missing.length === 0 && surplus.length === 0) return;
  const after = compare(rules, await find(api, name));
  const wrong = [...after.missing, ...after.surplus].map((rule) => `${typeOf(rule)} ${rule.path}`);
  if (wrong.length === 0) return;
  throw new ProviderError(
    "AKEYLESS_NOT_TAKEN",
    `${api.endpoint.url} accepted the rules of the role "${name}", but returns others: ${wrong.join(", ")}.`,
    "Check that nothing else writes this role.",
  );
}

function compare(rules: readonly Rule[], live: Live | undefined) {
  const theirs = (live?.rules?.path_rules ?? []).filter((rule) => ruleTypes.includes(typeOf(rule)));
  const found = new Map(theirs.map((rule) => [keyOf(rule), rule]));
  const wanted = new Set(rules.map(keyOf));
  return {
    missing: rules.filter((rule) => !sameCapabilities(rule, found.get(keyOf(rule)))),
    surplus: theirs.filter((rule) => !wanted.has(keyOf(rule)) && !isDenial(rule)),
  };
}

function differences(given: Partial<RoleInputs>, live: Live): string[] {
  const { missing, surplus } = compare(given.rules ?? [], live);
  const { description, deleteProtection } = given;
  return [
    ...(missing.length + surplus.length > 0 ? ["rules"] : []),
    ...(description === undefined || description === (live.comment ?? "") ? [] : ["description"]),
    ...(deleteProtection === undefined || deleteProtection === (live.delete_protection ?? false)
      ? []
      : ["deleteProtection"]),
  ];
}

/** Whether a rule only denies. Administrators add such rules to every role. They grant nothing, and only administrators can delete them. */
function isDenial({ capabilities: allowed }: { readonly capabilities?: readonly string[] | null }): boolean {
  return same(allowed, ["deny"]);
}

function typeOf({ type }: { readonly type?: string | null }): string {
  return type || "item-rule";
}

function keyOf(rule: { readonly path?: string | null; readonly type?: string | null }): string {
  return `${typeOf(rule)} ${absolute(rule.path ?? "")}`;
}

function sameCapabilities(rule: Rule, live: LiveRule | undefined): boolean {
  return live !== undefined && same([...rule.capabilities].sort(), [...(live.capabilities ?? [])].sort());
}

function checkRules(rules: readonly Rule[]): CheckFailure[] {
  const property = "rules";
  const twice = rules.filter((rule, index) => rules.findIndex((other) => keyOf(other) === keyOf(rule)) !== index);
  return [
    ...twice.map((rule) => ({ property, reason: `"rules" has two rules for ${keyOf(rule)}.` })),
    ...rules.flatMap(({ path, capabilities: asked = [], type }) => [
      ...(type && !ruleTypes.includes(type)
        ? [{ property, reason: `"${type}" is not a type of rule; use ${ruleTypes.join(", ")}.` }]
        : []),
      ...(asked.length === 0 ? [{ property, reason: `The rule for "${path}" has no capability.` }] : []),
      ...asked
        .filter((capability) => !capabilities.includes(capability))
        .map((capability) => ({
          property,
          reason: `"${capability}" is not a capability; use ${capabilities.join(", ")}.`,
        })),
    ]),
  ];
}
