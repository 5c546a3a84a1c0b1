/**
 * Stands in for the CLI of a product, which cannot be built from Go modules here. Sends the HTTP requests that the real one sends for the
 * arguments of the examples.
 */
import { readFileSync, writeFileSync } from "node:fs";

const [product = "", ...args] = process.argv.slice(2);
const [command = "", ...rest] = args;

async function put(address: string | undefined, path: string, body: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(`${address}/v1/${path}`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (answer.ok) return text === "" ? {} : JSON.parse(text);
  process.stderr.write(`${product} ${args.join(" ")}: ${answer.status} ${text}\n`);
  process.exit(2);
}

/** `-` is standard input, `NAME=@FILE` the content of a file. */
function vaultData(given: readonly string[]): unknown {
  if (given[0] === "-") return JSON.parse(readFileSync(0, "utf8"));
  const pairs = given.map((pair) => {
    const [, name = "", value = ""] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    return [name, value.startsWith("@") ? readFileSync(value.slice(1), "utf8").trim() : value];
  });
  return Object.fromEntries(pairs);
}

function flags(): Record<string, string> {
  const found: Record<string, string> = {};
  for (let index = 0; index < args.length - 1; index++) {
    if (args[index]?.startsWith("-") && args[index] !== "-") found[args[index]?.slice(1) ?? ""] = args[index + 1] ?? "";
  }
  return found;
}

async function consul(address: string | undefined): Promise<void> {
  const { name, type, config, method, "bind-type": bindType, "bind-name": bindName, ...files } = flags();
  const [, verb] = args;
  if (command === "login") {
    const jwt = readFileSync(files["bearer-token-file"] ?? "", "utf8").trim();
    const { SecretID } = await put(address, "acl/login", { AuthMethod: method, BearerToken: jwt });
    writeFileSync(files["token-sink-file"] ?? "", String(SecretID));
  } else if (verb === "auth-method" && config === "-") {
    const given = JSON.parse(readFileSync(0, "utf8"));
    await put(address, "acl/auth-method", { Name: name, Type: type, Config: given });
  } else if (verb === "binding-rule") {
    await put(address, "acl/binding-rule", { AuthMethod: method, BindType: bindType, BindName: bindName });
  } else throw new Error(`consul ${args.join(" ")} is not known here`);
}

const { VAULT_ADDR, BAO_ADDR, CONSUL_HTTP_ADDR } = process.env;
if (product === "consul") await consul(CONSUL_HTTP_ADDR);
else {
  const address = product === "bao" ? BAO_ADDR : VAULT_ADDR;
  const [path = "", ...data] = rest;
  if (command === "auth" && path === "enable") await put(address, `sys/auth/${data[0]}`, { type: data[0] });
  else if (command === "write") process.stdout.write(JSON.stringify(await put(address, path, vaultData(data))));
  else throw new Error(`${product} ${args.join(" ")} is not known here`);
}
