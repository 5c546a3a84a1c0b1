import { type Body, optional, Refusal, required, strings, textFlag } from "./failures.ts";
import type { Methods } from "./methods.ts";
import { answered, idOf, pathOf } from "./paths.ts";
import { hasOperator } from "./subClaims.ts";

export interface Rule {
  readonly path: string;
  readonly type: string;
  readonly capabilities: readonly string[];
}

export interface Role {
  rules: readonly Rule[];
  description: string;
  deleteProtection: boolean;
}

export interface Association {
  readonly id: string;
  readonly role: string;
  /** Access id of the method. An association stays when the method is renamed. */
  readonly accessId: string;
  claims: Readonly<Record<string, readonly string[]>>;
  caseSensitive: boolean;
}

/** Roles of an account and their associations with auth methods. */
export class Roles extends Map<string, Role> {
  readonly associations = new Map<string, Association>();
  /** Rules that every new role gets, as an account's administrators set them. */
  restricted: readonly Rule[] = [];
  readonly #methods: Methods;
  readonly commands: Readonly<Record<string, (body: Body) => object>> = {
    "create-role": (body) => this.#create(body),
    "update-role": (body) => this.#update(body),
    "get-role": (body) => this.#answer(...this.#named(body, "name")),
    "delete-role": (body) => this.#remove(body),
    "set-role-rule": (body) => this.#setRule(body),
    "delete-role-rule": (body) => this.#deleteRule(body),
    "assoc-role-am": (body) => this.#associate(body),
    "update-assoc": (body) => {
      Object.assign(this.#association(body), claimsFrom(body));
      return {};
    },
    "delete-assoc": (body) => {
      this.associations.delete(this.#association(body).id);
      return {};
    },
  };

  constructor(methods: Methods) {
    super();
    this.#methods = methods;
    methods.onDelete = (accessId) => this.#forget((one) => one.accessId === accessId);
  }

  /** Adds a role without rules, as an administrator would. */
  add(name: string): void {
    this.set(pathOf(name), { rules: [], description: "", deleteProtection: false });
  }

  #named(body: Body, field: string): [string, Role] {
    const path = pathOf(required(body, field));
    const role = this.get(path);
    if (role) return [path, role];
    throw new Refusal(404, `role ${path} does not exist`);
  }

  #create(body: Body): object {
    const path = pathOf(required(body, "name"));
    if (this.has(path)) throw new Refusal(409, `role ${path} already exists`);
    const description = optional(body, "description") ?? "";
    const deleteProtection = textFlag(body, "delete_protection") ?? false;
    this.set(path, { rules: this.restricted, description, deleteProtection });
    return {};
  }

  #update(body: Body): object {
    const [path, role] = this.#named(body, "name");
    const newPath = pathOf(optional(body, "new-name") || path);
    if (newPath !== path && this.has(newPath)) throw new Refusal(409, `role ${newPath} already exists`);
    role.description = optional(body, "description") ?? role.description;
    role.deleteProtection = textFlag(body, "delete_protection") ?? role.deleteProtection;
    this.delete(path);
    this.set(newPath, role);
    for (const [id, one] of this.associations) {
      if (one.role === path) this.associations.set(id, { ...one, role: newPath });
    }
    return { updated: true };
  }

  #remove(body: Body): object {
    const [path, role] = this.#named(body, "name");
    if (role.deleteProtection) throw new Refusal(403, `role ${path} has delete protection`);
    this.delete(path);
    this.#forget((one) => one.role === path);
    return {};
  }

  #setRule(body: Body): object {
    const [, role] = this.#named(body, "role-name");
    const rule = {
      path: pathOf(required(body, "path")),
      type: optional(body, "rule-type") || "item-rule",
      capabilities: strings(body, "capability") ?? [],
    };
    if (rule.capabilities.length === 0)
      throw new Refusal(400, "Missing required parameter - capability", "InvalidParam");
    role.rules = [...role.rules.filter((one) => !isSame(one, rule)), rule];
    return {};
  }

  #deleteRule(body: Body): object {
    const [, role] = this.#named(body, "role-name");
    const rule = { path: pathOf(required(body, "path")), type: optional(body, "rule-type") || "item-rule" };
    if (!role.rules.some((one) => isSame(one, rule))) throw new Refusal(404, `rule ${rule.path} does not exist`);
    if (this.restricted.some((one) => isSame(one, rule))) throw new Refusal(403, `rule ${rule.path} is restricted`);
    role.rules = role.rules.filter((one) => !isSame(one, rule));
    return { deleted: true };
  }

  /** A role may have several associations with one method. Each of them grants the role. */
  #associate(body: Body): object {
    const [role] = this.#named(body, "role-name");
    const { accessId } = this.#methods.named(required(body, "am-name"));
    const id = idOf("ass-", 12);
    this.associations.set(id, { id, role, accessId, ...claimsFrom(body) });
    return { assoc_id: id };
  }

  #association(body: Body): Association {
    const association = this.associations.get(required(body, "assoc-id"));
    if (association) return association;
    throw new Refusal(404, "association does not exist");
  }

  #answer(path: string, { rules, description, deleteProtection }: Role): object {
    const own = [...this.associations.values()].filter((one) => one.role === path);
    return {
      role_id: 1,
      role_name: answered(path),
      comment: description,
      delete_protection: deleteProtection,
      rules: {
        admin: false,
        path_rules: rules.map((rule) => ({ path: rule.path, type: rule.type, capabilities: rule.capabilities })),
      },
      role_auth_methods_assoc: own.map((one) => ({
        assoc_id: one.id,
        auth_method_name: answered(this.#methods.byAccessId(one.accessId)?.name ?? ""),
        auth_method_access_id: one.accessId,
        auth_method_sub_claims: one.claims,
        sub_claims_case_sensitive: one.caseSensitive,
        is_subclaims_with_operator: Object.values(one.claims).some(hasOperator),
      })),
    };
  }

  #forget(isGone: (one: Association) => boolean): void {
    for (const one of [...this.associations.values()].filter(isGone)) this.associations.delete(one.id);
  }
}

function isSame(one: Omit<Rule, "capabilities">, other: Omit<Rule, "capabilities">): boolean {
  return one.path === other.path && one.type === other.type;
}

function claimsFrom(body: Body) {
  const given = (body["sub-claims"] ?? {}) as Record<string, unknown>;
  const claims = Object.fromEntries(
    Object.entries(given).map(([claim, values]) => {
      if (typeof values !== "string") throw new Refusal(400, "sub-claims: values must be strings");
      return [claim, values.split(",")];
    }),
  );
  return { claims, caseSensitive: textFlag(body, "case-sensitive") ?? true };
}
