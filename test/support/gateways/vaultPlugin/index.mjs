import { main } from "@pulumi/pulumi/provider/index.js";

/** By type: the path of a resource in Vault's HTTP API, and its properties that are not fields of the request. */
const types = {
  "vault:index/authBackend:AuthBackend": { path: ({ path }) => `sys/auth/${path}`, other: ["path"] },
  "vault:kubernetes/authBackendConfig:AuthBackendConfig": {
    path: ({ backend }) => `auth/${backend}/config`,
    other: ["backend"],
  },
  "vault:kubernetes/authBackendRole:AuthBackendRole": {
    path: ({ backend, roleName }) => `auth/${backend}/role/${roleName}`,
    other: ["backend", "roleName"],
  },
};

main(
  {
    version: "7.8.0",
    check: async (_urn, _olds, news) => ({ inputs: news }),
    diff: async (_id, _urn, olds, news) => ({ changes: JSON.stringify(olds) !== JSON.stringify(news) }),
    async create(urn, inputs) {
      const type = urn.split("::")[2].split("$").at(-1);
      const { path, other } = types[type];
      const open = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, opened(value)]));
      const fields = Object.entries(open).filter(([name]) => !other.includes(name) && !name.startsWith("__"));
      const body = Object.fromEntries(fields.map(([name, value]) => [snakeCase(name), value]));
      const id = path(open);
      const answer = await fetch(`${process.env.VAULT_ADDR}/v1/${id}`, { method: "PUT", body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${id}: ${answer.status} ${await answer.text()}`);
      return { id, outs: inputs };
    },
    delete: async () => {},
  },
  process.argv.slice(2),
);

/** A value without the signature that marks it as secret on the wire. */
function opened(value) {
  const isSecret = value?.["4dabf18193072939515e22adb298388d"] === "1b47061264138c4ac30d75fd1eb44270";
  return isSecret ? value.value : value;
}

function snakeCase(name) {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
