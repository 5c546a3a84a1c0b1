/**
 * Writes akeyless.json: of the official SDK's models, the names and types of the fields that the plugin's calls have.
 * The package itself is 39 MB and has no types, so it is not a dependency. Run it for a new version of the package:
 *
 *     npm pack akeyless && tar xzf akeyless-*.tgz
 *     node test/contract/freezeAkeyless.ts package "$(npm view akeyless time --json | jq -r '.["5.0.23"]')"
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Contract, Model, Route } from "./akeyless.ts";

const commands = [
  "assoc-role-am",
  "auth",
  "auth-method-create-k8s",
  "auth-method-delete",
  "auth-method-get",
  "auth-method-update-k8s",
  "create-certificate",
  "create-role",
  "delete-assoc",
  "delete-item",
  "delete-role",
  "delete-role-rule",
  "describe-item",
  "event-forwarder-get",
  "gateway-create-k8s-auth-config",
  "gateway-delete-k8s-auth-config",
  "gateway-get-k8s-auth-config",
  "gateway-update-k8s-auth-config",
  "get-certificate-value",
  "get-role",
  "set-role-rule",
  "update-assoc",
  "update-certificate-value",
  "update-item",
  "update-role",
];

/** Models of answers whose fields are looked into. The fields of others are not kept. */
const nested = [
  "AuthExpirationEvent",
  "AuthMethodAccessInfo",
  "CertificateChainInfo",
  "CertificateExpirationEvent",
  "CertificateInfo",
  "ItemGeneralInfo",
  "KubernetesAccessRules",
  "NotiForwarder",
  "PathRule",
  "RoleAuthMethodAssociation",
  "Rules",
];

const [folder = "package", published = ""] = process.argv.slice(2);
const text = (...path: string[]) => readFileSync(join(folder, ...path), "utf8");

/** `Array.<String>` as `[string]`, `Object.<String, Array.<String>>` as `{[string]}`, `module:model/Role` as `Role`. */
function typeOf(written: string): string {
  const list = /^Array\.<(.*)>$/.exec(written)?.[1];
  if (list !== undefined) return `[${typeOf(list)}]`;
  const map = /^Object\.<String, (.*)>$/.exec(written)?.[1];
  if (map !== undefined) return `{${typeOf(map)}}`;
  const model = /^module:model\/(.*)$/.exec(written)?.[1];
  if (model !== undefined) return nested.includes(model) ? model : "object";
  return written.toLowerCase();
}

function modelOf(name: string): Model {
  const source = text("dist", "model", `${name}.js`);
  const required = /RequiredProperties = \[(.*?)\]/.exec(source)?.[1] ?? "";
  const fields = [...source.matchAll(/@member \{(.+?)\} (\S+)$/gm)].map(([, type = "", field = ""]) => [
    field,
    typeOf(type),
  ]);
  return {
    required: [...required.matchAll(/"(.+?)"/g)].map(([, field = ""]) => field),
    fields: Object.fromEntries(fields) as Record<string, string>,
  };
}

function routeOf(command: string, api: string): Route {
  const before = api.slice(0, api.indexOf(`callApi('/${command}'`));
  const last = (pattern: RegExp) => [...before.slice(-4_000).matchAll(pattern)].at(-1)?.[1] ?? "";
  return {
    request: last(/@param \{module:model\/(\w+)\}/g),
    answer: last(/(?:data of type|with data of type) \{@link (?:module:model\/)?(\w+)\}/g),
  };
}

const api = text("dist", "api", "V2Api.js");
const { version } = JSON.parse(text("package.json")) as { version: string };
const routes = Object.fromEntries(commands.map((command) => [command, routeOf(command, api)]));
const named = Object.values(routes).flatMap(({ request, answer }) => [request, answer]);
const models = [...new Set([...named, ...nested])].filter((name) => name !== "Object").sort();
const contract: Contract = {
  package: "akeyless",
  version,
  published: published.slice(0, 10),
  routes,
  models: Object.fromEntries(models.map((name) => [name, modelOf(name)])),
};
writeFileSync(join(import.meta.dirname, "akeyless.json"), `${JSON.stringify(contract, null, 2)}\n`);
