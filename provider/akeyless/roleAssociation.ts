import { isProviderError, ProviderError } from "../errors.ts";
import { type CheckFailure, type Fields, same } from "../fields.ts";
import type { Resource, State } from "../resource.ts";
import type { AkeylessApi } from "./api.ts";
import {
  type ApiInputs,
  apiFields,
  apiFor,
  apiOutputs,
  changed,
  checkEndpoint,
  checkName,
  driftField,
  glance,
} from "./endpoint.ts";

/**
 * Claims of a login that roles can ask for. `pod_name` and `pod_uid` are in tokens that are bound to a pod (projected ones),
 * `service_account_secret_name` in those of a Secret.
 *
 * @see https://docs.akeyless.io/docs/kubernetes-auth
 */
const claims = [
  "service_account_name",
  "service_account_uid",
  "service_account_secret_name",
  "namespace",
  "aud",
  "pod_name",
  "pod_uid",
  "config_name",
];

export interface RoleAssociationInputs extends ApiInputs {
  readonly roleName: string;
  readonly authMethodName: string;
  /** By claim: one value, or several of which one must match. */
  readonly subClaims?: Readonly<Record<string, string | readonly string[]>>;
  readonly caseSensitive: boolean;
}

export interface RoleAssociationOutputs extends ApiInputs {
  readonly roleName: string;
  readonly authMethodName: string;
  readonly assocId: string;
  readonly drift: readonly string[];
}

type AssociationState = State<RoleAssociationInputs, RoleAssociationOutputs>;

const inputs: Fields = {
  ...apiFields,
  roleName: { type: "string", required: true, description: "Name (path) of the role." },
  authMethodName: { type: "string", required: true, description: "Name (path) of the auth method." },
  subClaims: {
    type: "map",
    description: `Claims that a login must have, each with its value or values. Known are: ${claims.join(", ")}.`,
  },
  caseSensitive: { type: "boolean", default: true, description: "Whether claims are compared by case." },
};

const outputs: Fields = {
  ...apiFields,
  roleName: { type: "string", description: "Name of the role." },
  authMethodName: { type: "string", description: "Name of the auth method." },
  assocId: { type: "string", description: "Akeyless's id of the association." },
  ...driftField,
};

interface LiveAssociation {
  readonly assoc_id?: string;
  readonly auth_method_name?: string;
  readonly auth_method_sub_claims?: Readonly<Record<string, readonly string[]>> | null;
  readonly sub_claims_case_sensitive?: boolean;
}

/** What a role gives to those who log in by an auth method, if their claims match. */
export const akeylessRoleAssociation: Resource<RoleAssociationInputs, RoleAssociationOutputs> = {
  type: "k8sauth:index:AkeylessRoleAssociation",
  description: "The association of an Akeyless role with an auth method, for logins with the claims named.",
  inputs,
  outputs,

  check({ known }) {
    return [
      ...checkEndpoint("apiUrl", known.apiUrl, known.caPem),
      ...checkName("roleName", known.roleName),
      ...checkName("authMethodName", known.authMethodName),
      ...checkClaims(known.subClaims),
    ];
  },

  async create(given, context) {
    const assocId = await associate(apiFor(given, context), given);
    return { id: `${given.roleName}:${given.authMethodName}`, outputs: { ...told(given), assocId } };
  },

  async previewCreate({ known }) {
    return { outputs: told(known) };
  },

  async diff(state, { known, unknown }) {
    const names = ["roleName", "authMethodName", "subClaims", "caseSensitive"];
    return {
      ...changed(names, state.inputs, known, unknown),
      ...(state.outputs.drift?.length ? { drift: "update" as const } : {}),
      ...changed(["apiUrl"], state.inputs, known, unknown, "replace"),
    };
  },

  async previewUpdate(state, { known }) {
    return { outputs: { ...state.outputs, ...told(known) } };
  },

  /** Another role or method is another association, made before the old one goes; a method may also just be renamed. */
  async update(state, given, context) {
    const api = apiFor(given, context);
    const { assocId: old = "", roleName = given.roleName } = state.outputs;
    const live = roleName === given.roleName ? await find(api, roleName, (one) => one.assoc_id === old) : undefined;
    if (live !== undefined && (live.auth_method_name ?? given.authMethodName) === given.authMethodName) {
      await api.call("/update-assoc", { "assoc-id": old, ...claimsBody(given) }, "repeatable");
      return { ...told(given), assocId: old };
    }
    const assocId = await associate(api, given);
    if (assocId !== old) await api.remove("/delete-assoc", { "assoc-id": old });
    return { ...told(given), assocId };
  },

  async read(state, context) {
    const { assocId, roleName } = state.outputs;
    if (assocId === undefined || roleName === undefined) {
      throw new ProviderError(
        "AKEYLESS_NOT_IMPORTABLE",
        "A role association cannot be imported.",
        "Declare it in the program and run up: one with the same claims is taken over.",
      );
    }
    const what = `The association of the role "${roleName}"`;
    const api = apiFor(here(state), context);
    const live = await glance(what, context, () => find(api, roleName, (one) => one.assoc_id === assocId));
    if (live === undefined) return undefined;
    if (live === "unseen") return { id: state.id, outputs: state.outputs };
    const drift = differences(state.inputs, live);
    if (drift.length > 0) context.log.info(`${what} was changed by somebody else: ${drift.join(", ")}.`);
    return { id: state.id, outputs: { ...state.outputs, drift } };
  },

  async delete(state, context) {
    const { assocId } = state.outputs;
    if (assocId !== undefined) await apiFor(here(state), context).remove("/delete-assoc", { "assoc-id": assocId });
  },
};

function here({ inputs: given, outputs: known }: AssociationState): Partial<ApiInputs> {
  return { apiUrl: known.apiUrl ?? given.apiUrl, caPem: given.caPem ?? known.caPem };
}

function told(given: Partial<RoleAssociationInputs>) {
  const { roleName, authMethodName } = given as RoleAssociationInputs;
  return { ...apiOutputs(given), roleName, authMethodName, drift: [] };
}

/** Several values of a claim are one text there, joined by commas. */
function claimsBody({ subClaims = {}, caseSensitive }: RoleAssociationInputs): object {
  const joined = Object.entries(subClaims).map(([claim, values]) => [claim, [values].flat().join(",")]);
  return { "sub-claims": Object.fromEntries(joined), "case-sensitive": String(caseSensitive) };
}

async function find(api: AkeylessApi, roleName: string, matches: (one: LiveAssociation) => boolean) {
  const role = await api.find<{ role_auth_methods_assoc: readonly LiveAssociation[] }>("/get-role", { name: roleName });
  return role?.role_auth_methods_assoc?.find(matches);
}

/** The association's id: of a new one, or of one with the same claims that a killed run has left. */
async function associate(api: AkeylessApi, given: RoleAssociationInputs): Promise<string> {
  const { roleName, authMethodName } = given;
  try {
    const body = { "role-name": roleName, "am-name": authMethodName, ...claimsBody(given) };
    const { assoc_id: assocId } = await api.call<{ assoc_id: string }>("/assoc-role-am", body, "once");
    if (assocId) return assocId;
  } catch (error) {
    if (!isProviderError(error, "AKEYLESS_EXISTS")) throw error;
    const live = await find(api, roleName, (one) => one.auth_method_name === authMethodName);
    if (live?.assoc_id && differences(given, live).length === 0) return live.assoc_id;
    throw new ProviderError(
      "AKEYLESS_NAME_TAKEN",
      `The role "${roleName}" is associated with the auth method "${authMethodName}" already, with other claims.`,
      "Delete that association first.",
    );
  }
  const live = await find(api, roleName, (one) => one.auth_method_name === authMethodName);
  if (live?.assoc_id) return live.assoc_id;
  throw new ProviderError(
    "AKEYLESS_NOT_TAKEN",
    `${api.endpoint.url} associated the role "${roleName}" with the auth method "${authMethodName}", but does not show it.`,
    "Look at the role in Akeyless's console.",
  );
}

function differences(given: Partial<RoleAssociationInputs>, live: LiveAssociation): string[] {
  const ours = Object.entries(given.subClaims ?? {}).map(([claim, values]) => [claim, parts([values].flat())]);
  const theirs = Object.entries(live.auth_method_sub_claims ?? {}).map(([claim, values]) => [claim, parts(values)]);
  const sensitive = live.sub_claims_case_sensitive;
  return [
    ...(same(Object.fromEntries(ours), Object.fromEntries(theirs)) ? [] : ["subClaims"]),
    ...(sensitive === undefined || sensitive === (given.caseSensitive ?? true) ? [] : ["caseSensitive"]),
  ];
}

function parts(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(",").map((part) => part.trim())).sort();
}

function checkClaims(subClaims: RoleAssociationInputs["subClaims"]): CheckFailure[] {
  return Object.entries(subClaims ?? {}).flatMap(([claim, values]) => {
    const property = "subClaims";
    if (!claims.includes(claim)) {
      return [
        { property, reason: `"${claim}" is not a claim of a Kubernetes login. Known are: ${claims.join(", ")}.` },
      ];
    }
    const list = [values].flat();
    const good = list.length > 0 && list.every((value) => typeof value === "string" && value.trim() !== "");
    return good ? [] : [{ property, reason: `"${claim}" needs a value, or a list of values.` }];
  });
}
