import { type Body, Refusal, required } from "./failures.ts";
import { Items } from "./items.ts";
import { Methods } from "./methods.ts";
import { pathOf } from "./paths.ts";
import { Roles } from "./roles.ts";

export interface Forwarder {
  readonly enabled: boolean;
  readonly types: readonly string[];
  readonly paths: readonly string[];
}

/** Objects of an account that belong to no gateway: auth methods, certificates, roles, Event Forwarders. */
export class Account {
  readonly methods = new Methods();
  readonly items = new Items();
  readonly roles = new Roles(this.methods);
  readonly forwarders = new Map<string, Forwarder>();

  readonly commands: Readonly<Record<string, (body: Body) => object>> = {
    ...this.methods.commands,
    ...this.items.commands,
    ...this.roles.commands,
    // Earlier names of commands, which clients still use.
    "create-auth-method-k8s": (body) => this.#run("auth-method-create-k8s", body),
    "update-auth-method-k8s": (body) => this.#run("auth-method-update-k8s", body),
    "get-auth-method": (body) => this.#run("auth-method-get", body),
    "delete-auth-method": (body) => this.#run("auth-method-delete", body),
    "get-account-settings": () => ({
      account_id: "acc-0123456789ab",
      system_access_creds_settings: { jwt_ttl_default: 60 },
    }),
    "event-forwarder-get": (body) => {
      const name = pathOf(required(body, "name"));
      const forwarder = this.forwarders.get(name);
      if (!forwarder) throw new Refusal(404, `event forwarder ${name} does not exist`);
      const { enabled, types, paths } = forwarder;
      return { event_forwarder: { noti_forwarder_name: name, is_enabled: enabled, event_types: types, paths } };
    },
  };

  get associations() {
    return this.roles.associations;
  }

  clear(): void {
    for (const objects of [this.methods, this.items, this.roles, this.associations, this.forwarders]) objects.clear();
    this.roles.restricted = [];
    this.items.shows = "certificate";
  }

  #run(command: string, body: Body): object {
    return this.commands[command]?.(body) ?? {};
  }
}
