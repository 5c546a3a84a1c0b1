import { identityHeaders } from "../../verifier/http/answers.ts";
import type { Identity } from "../../verifier/token/identity.ts";

/** Names of the headers that say who the caller is: `X-K8sauth-Subject` and the others. */
export const identityNames = identityHeaders({} as Identity).filter((_, at) => at % 2 === 0);

/** Names that differ from a header's in what CGI (RFC 3875 section 4.1.18), WSGI and PHP turn into an underscore. */
export const aliasesOf = (name: string): string[] => [
  name.replaceAll("-", "_"),
  name.replaceAll("-", "."),
  name.replace("-", "_"),
  name.replace(/-(?=[^-]*$)/, "_"),
];

/** Headers by which a caller claims to be somebody. */
export const forgedBy = (names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, "forged"]));

/** Values of a request's identity headers, of which a gateway may send none or empty ones for an unknown caller. */
export function identityOf(headers: NodeJS.Dict<string | string[]>): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    /k8sauth/i.test(name) && value !== undefined && value !== "" ? [String(value)] : [],
  );
}
