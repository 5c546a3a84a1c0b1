import { requireSendable } from "../headers.ts";
import { type Entry, isObject, text, words } from "./kubeconfig.ts";

/**
 * The `Impersonate-*` headers that a user of a kubeconfig asks for.
 *
 * @throws KubeError KUBECONFIG_CREDENTIAL_INVALID for a value that HTTP cannot carry
 * @see https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
 */
export function impersonation(user: Entry): Readonly<Record<string, string | readonly string[]>> {
  const headers = asked(user);
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) requireSendable(value, `${name} of user "${user.name}"`);
  }
  return headers;
}

function asked({ name, value }: Entry): Record<string, string | readonly string[]> {
  const as = text(value.as);
  if (as === undefined) return {};
  const headers: Record<string, string | readonly string[]> = { "Impersonate-User": as };
  const uid = text(value["as-uid"]);
  if (uid !== undefined) headers["Impersonate-Uid"] = uid;
  if (Array.isArray(value["as-groups"])) {
    headers["Impersonate-Group"] = words(value["as-groups"], `as-groups of user "${name}"`);
  }
  const extra = value["as-user-extra"];
  if (isObject(extra)) {
    for (const [key, values] of Object.entries(extra)) {
      // A lone surrogate has no encoding.
      const header = `Impersonate-Extra-${encodeURIComponent(key.toWellFormed())}`;
      headers[header] = words(values, `as-user-extra of user "${name}"`);
    }
  }
  return headers;
}
