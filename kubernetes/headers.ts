import { validateHeaderValue } from "node:http";
import { KubeError } from "./errors.ts";

/**
 * Refuses a value that HTTP cannot carry in a header (RFC 9110, section 5.5), such as a token with a line break.
 *
 * @param what subject of the error message, which does not contain the value
 * @throws KubeError KUBECONFIG_CREDENTIAL_INVALID
 */
export function requireSendable(value: string, what: string): void {
  try {
    validateHeaderValue("value", value);
  } catch {
    throw new KubeError("KUBECONFIG_CREDENTIAL_INVALID", `${what} has a character that no HTTP header can have.`, {
      remedy: "Check it for line breaks and for text that was not decoded.",
    });
  }
}
