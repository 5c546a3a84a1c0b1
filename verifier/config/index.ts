/** Checks of the verifier's configuration, for programs that write one. */
export { VerifierError } from "../errors.ts";
export { parseKeyFile } from "../keys/keySet.ts";
export { parseRule } from "../rules/allowList.ts";
export { loadConfig } from "./load.ts";
