import { isProviderError, ProviderError } from "../protocol/errors.ts";
import { type CheckFailure, type Fields, same } from "../protocol/fields.ts";
import type { Context, Resource } from "../protocol/resource.ts";
import type { AkeylessApi } from "./api/api.ts";
import { type ApiInputs, apiFields, apiFor, apiOutputs, checkEndpoint, checkName, storedApi } from "./api/endpoint.ts";
import { changed, changedPaths, commonChanges, driftField, notImportable, refreshObject } from "./api/object.ts";
import type { Shaped } from "./api/shape.ts";

/**
 * Claims of a Kubernetes login: the documented ones, and those that describe-sub-claims shows beside them. `pod_name` and
 * `pod_uid` are in tokens that are bound to a pod (projected ones), `service_account_secret_name` in tokens of a Secret.
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
  "config_id",
  "client_ip",
  "client_unique_id",
  "k8s_id",
  "use_pod_id_in_unique_id",
];

export interface RoleAssociationInputs extends ApiInputs {
  readonly roleName: string;
  readonly authMethodName: string;
  /** Access id of that auth method. It identifies the method; answers spell names differently from requests. */
  readonly accessId: string;
  /** By claim: one value, or several of which one must match. Values may hold `*` and `?`, and `AND` and `OR` between values. */
  readonly subClaims?: Readonly<Record<string, string | readonly string[]>>;
  readonly caseSensitive: boolean;
}

export interface RoleAssociationOutputs extends ApiInputs {
  readonly roleName: string;
  readonly authMethodName: string;
  readonly assocId: string;
  readonly drift: readonly string[];
}

const inputs: Fields = {
  ...apiFields,
  roleName: { type: "string", required: true },
  authMethodName: { type: "string", required: true },
  accessId: { type: "string", required: true },
  subClaims: { type: "map" },
  caseSensitive: { type: "boolean", default: true },
};

const outputs: Fields = {
  ...apiFields,
  roleName: { type: "string" },
  authMethodName: { type: "string" },
  assocId: { type: "string" },
  ...driftField,
};

/**
 * An association in the answer to get-role. Its names are not compared with those of requests: Akeyless returns paths without
 * their leading slash.
 */
const associationShape = {
  assoc_id: "string",
  auth_method_access_id: "string",
  auth_method_sub_claims: { "*": ["string"] },
  sub_claims_case_sensitive: "boolean",
} as const;

type LiveAssociation = Shaped<typeof associationShape>;

/** Grants a role to workloads that log in with an auth method, if their claims match. */
export const akeylessRoleAssociation: Resource<RoleAssociationInputs, RoleAssociationOutputs> = {
  type: "k8sauth:index:AkeylessRoleAssociation",
  inputs,
  outputs,

  check({ known }) {
    return [
      ...checkEndpoint("apiUrl", known.apiUrl, known.caPem),
      ...checkName("roleName", known.roleName),
      ...checkName("authMethodName", known.authMethodName),
      ...checkName("accessId", known.accessId),
      ...checkClaims(known.subClaims),
    ];
  },

  async create(given, context) {
    warnOfClaims(given, context);
    const assocId = await associate(apiFor(given, context), given, context);
    return { id: `${given.roleName}:${given.authMethodName}`, outputs: { ...outputsOf(given), assocId } };
  },

  async previewCreate({ known }, context) {
    warnOfClaims(known, context);
    return { outputs: outputsOf(known) };
  },

  async diff(state, { known, unknown }) {
    return {
      ...changed(["accessId", "subClaims", "caseSensitive"], state.inputs, known, unknown),
      ...changedPaths(["roleName", "authMethodName"], state.inputs, known, unknown),
      ...commonChanges(state, known, unknown),
    };
  },

  async previewUpdate(state, { known }, context) {
    warnOfClaims(known, context);
    return { outputs: { ...state.outputs, ...outputsOf(known) } };
  },

  /**
   * Changes the claims in place. Another role or auth method needs another association, which is created before the old one is
   * deleted. A role or auth method that was only renamed keeps its association.
   */
  async update(state, given, context) {
    warnOfClaims(given, context);
    const api = apiFor(given, context);
    const { assocId: old = "" } = state.outputs;
    const live = await find(api, given.roleName, (one) => one.assoc_id === old);
    if (live !== undefined && (live.auth_method_access_id ?? state.inputs.accessId) === given.accessId) {
      await api.call("/update-assoc", { "assoc-id": old, ...claimsBody(given) }, "repeatable");
      return { ...outputsOf(given), assocId: old };
    }
    const assocId = await associate(api, given, context);
    if (assocId !== old) await api.remove("/delete-assoc", { "assoc-id": old });
    return { ...outputsOf(given), assocId };
  },

  async read(state, context) {
    const { assocId, roleName } = state.outputs;
    if (assocId === undefined || roleName === undefined) {
      throw notImportable(
        "A role association cannot be imported.",
        "Declare it in the program and run up: an association with the same claims is taken over.",
      );
    }
    return refreshObject(
      `The association of the role "${roleName}"`,
      state,
      context,
      (api) => find(api, roleName, (one) => one.assoc_id === assocId),
      (live) => differences(state.inputs, live),
    );
  },

  async delete(state, context) {
    const { assocId } = state.outputs;
    if (assocId !== undefined) await storedApi(state, context).remove("/delete-assoc", { "assoc-id": assocId });
  },
};

function outputsOf(given: Partial<RoleAssociationInputs>) {
  const { roleName, authMethodName } = given as RoleAssociationInputs;
  return { ...apiOutputs(given), roleName, authMethodName, drift: [] };
}

/** The fields of the claims. Several values of a claim are one text, joined by commas. */
function claimsBody({ subClaims = {}, caseSensitive }: RoleAssociationInputs): object {
  const joined = Object.entries(subClaims).map(([claim, values]) => [claim, [values].flat().join(",")]);
  return { "sub-claims": Object.fromEntries(joined), "case-sensitive": String(caseSensitive) };
}

async function find(api: AkeylessApi, roleName: string, matches: (one: LiveAssociation) => boolean) {
  const role = await api.find("/get-role", { name: roleName }, { role_auth_methods_assoc: [associationShape] });
  return role?.role_auth_methods_assoc?.find(matches);
}

/**
 * Associates role and auth method, and returns the association's id. An association with the same claims, which a killed run created, is
 * taken over. A role can have several associations with an auth method, and each of them grants the role.
 */
async function associate(api: AkeylessApi, given: RoleAssociationInputs, context: Context): Promise<string> {
  const { roleName, authMethodName, accessId } = given;
  const same = (one: LiveAssociation) => one.auth_method_access_id === accessId && differences(given, one).length === 0;
  const existing = await find(api, roleName, same);
  if (existing?.assoc_id) {
    context.log.info(`The role "${roleName}" has this association already, from an earlier run: it is taken over.`);
    return existing.assoc_id;
  }
  try {
    const body = { "role-name": roleName, "am-name": authMethodName, ...claimsBody(given) };
    const { assoc_id: assocId } = await api.call("/assoc-role-am", body, "once", { assoc_id: "string" });
    if (assocId) return assocId;
  } catch (error) {
    if (!isProviderError(error, "AKEYLESS_EXISTS")) throw error;
    throw new ProviderError(
      "AKEYLESS_NAME_TAKEN",
      `The role "${roleName}" is already associated with the auth method "${authMethodName}" (${accessId}), with other claims.`,
      "Delete the association in Akeyless and run up again.",
    );
  }
  const live = await find(api, roleName, same);
  if (live?.assoc_id) return live.assoc_id;
  throw new ProviderError(
    "AKEYLESS_NOT_TAKEN",
    `${api.endpoint.url} associated the role "${roleName}" with the auth method "${authMethodName}", but does not show it.`,
    "Look at the role in Akeyless's console.",
  );
}

function differences(given: Partial<RoleAssociationInputs>, live: LiveAssociation): string[] {
  const ours = Object.entries(given.subClaims ?? {}).map(([claim, values]) => [
    claim,
    comparableValues([values].flat()),
  ]);
  const theirs = Object.entries(live.auth_method_sub_claims ?? {}).map(([claim, values]) => [
    claim,
    comparableValues(values),
  ]);
  const sensitive = live.sub_claims_case_sensitive;
  return [
    ...(same(Object.fromEntries(ours), Object.fromEntries(theirs)) ? [] : ["subClaims"]),
    ...(sensitive === undefined || sensitive === null || sensitive === (given.caseSensitive ?? true)
      ? []
      : ["caseSensitive"]),
  ];
}

/** The values of a claim, to compare: sorted, unless operators connect them. */
function comparableValues(values: readonly string[]): string[] {
  const all = values.flatMap((value) => value.split(",").map((part) => part.trim().replaceAll(/\s+/g, " ")));
  return all.some((value) => / (AND|OR) /.test(value)) ? all : all.sort();
}

/** Warns of unknown claims. They are no error, since Akeyless adds claims. With a misspelt claim no login gets the role. */
function warnOfClaims({ roleName, subClaims }: Partial<RoleAssociationInputs>, context: Context): void {
  for (const claim of Object.keys(subClaims ?? {}).filter((name) => !claims.includes(name))) {
    context.log.warn(
      `The role "${roleName}" requires the claim "${claim}", which is not a known claim of a Kubernetes login. Known are: ${claims.join(", ")}.`,
    );
  }
}

function checkClaims(subClaims: RoleAssociationInputs["subClaims"]): CheckFailure[] {
  return Object.entries(subClaims ?? {}).flatMap(([claim, values]) => {
    const property = "subClaims";
    const list = [values].flat();
    const good = list.length > 0 && list.every((value) => typeof value === "string" && value.trim() !== "");
    return good ? [] : [{ property, reason: `"${claim}" needs a value, or a list of values.` }];
  });
}
