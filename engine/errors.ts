/**
 * Every error that the engine raises on purpose. The code is stable: scripts may rely on it. The message says what
 * happened, where, what was expected and what to do; it never holds a secret.
 */
export type EngineErrorCode =
  | "BACKEND_UNSUPPORTED"
  | "CANCELLED"
  | "CONFIG_INVALID"
  | "CONFIG_MISSING"
  | "CHECK_FAILED"
  | "DEPLOYMENT_FAILED"
  | "NO_HOME"
  | "PASSPHRASE_MISSING"
  | "PASSPHRASE_WRONG"
  | "PLUGIN_FAILED"
  | "POLICY_PACK_FAILED"
  | "POLICY_PACK_INVALID"
  | "POLICY_VIOLATED"
  | "PROGRAM_FAILED"
  | "PROJECT_INVALID"
  | "PROTECTED"
  | "RESOURCE_DUPLICATE"
  | "SECRETS_PROVIDER_UNSUPPORTED"
  | "STACK_LOCKED"
  | "STACK_MISSING"
  | "STACK_NAME_INVALID"
  | "STACK_NOT_EMPTY"
  | "STATE_CORRUPT"
  | "STATE_FOREIGN"
  | "STATE_UNWRITABLE"
  | "UNSUPPORTED";

/** An error with a stable code and a message for the person who runs the engine. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The message of anything that was thrown, without a stack trace. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node.js system error (`ENOENT`, …), if it is one. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** The error of a run that was ended from outside. */
export function cancelled(): EngineError {
  return new EngineError("CANCELLED", "Cancelled. What was done is in the state; run it again to go on.");
}

/** The error for a feature of Pulumi's that this engine refuses rather than ignores. */
export function unsupported(what: string, where: string): EngineError {
  return new EngineError(
    "UNSUPPORTED",
    `${where}: the embedded engine does not carry ${what}. Run this program with the Pulumi CLI (\`pulumi up\`), ` +
      "which works on the same state folder, or leave it out.",
  );
}
