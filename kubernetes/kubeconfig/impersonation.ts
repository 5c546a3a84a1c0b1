import { requireSendable } from "../headers.ts";
import { type Entry, isObject, nonEmpty, stringList } from "./kubeconfig.ts";

/**
 * The `Impersonate-*` headers that a user of a kubeconfig asks for.
 *
 * @throws KubeError KUBECONFIG_CREDENTIAL_INVALID for a value that HTTP cannot carry
 * @see https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
 */
export function impersonation(user: Entry): Readonly<Record<string, string | readonly string[]>> {
  const headers = headersOf(user);
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) requireSendable(value, `${name} of user "${user.name}"`);
  }
  return headers;
}

function headersOf({ name, value }: Entry): Record<string, string | readonly string[]> {
  const as = nonEmpty(value.as);
  if (as === undefined) return {};
  const headers: Record<string, string | readonly string[]> = { "Impersonate-User": as };
  const uid = nonEmpty(value["as-uid"]);
  if (uid !== undefined) headers["Impersonate-Uid"] = uid;
  if (Array.isArray(value["as-groups"])) {
    headers["Impersonate-Group"] = stringList(value["as-groups"], `as-groups of user "${name}"`);
  }
  const extra = value["as-user-extra"];
  if (isObject(extra)) {
    for (const [key, values] of Object.entries(extra)) {
      // A lone surrogate has no encoding.
      const header = `Impersonate-Extra-${encodeURIComponent(key.toWellFormed())}`;
      headers[header] = stringList(values, `as-user-extra of user "${name}"`);
    }
  }
  return headers;
}
