/** The verifier's configuration, for programs that write one: what the service accepts, and why it refuses the rest. */
export { VerifierError } from "../errors.ts";
export { parseKeyFile } from "../keys/keySet.ts";
export { parseRule } from "../rules/allowList.ts";
export { loadConfig } from "./load.ts";
