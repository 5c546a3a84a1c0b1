/** Stable codes of errors of the sandbox and of the Pulumi CLI. docs/errors.md explains each. */
export type SandboxErrorCode =
  | "SANDBOX_NAME_INVALID"
  | "SANDBOX_OPTION_INVALID"
  | "SANDBOX_NO_HOME"
  | "SANDBOX_PLATFORM"
  | "SANDBOX_STORAGE"
  | "SANDBOX_BUSY"
  | "SANDBOX_DIFFERENT"
  | "SANDBOX_NOT_RUNNING"
  | "SANDBOX_COMPONENT_UNKNOWN"
  | "SANDBOX_COMPONENT_ENDED"
  | "SANDBOX_TIMEOUT"
  | "SANDBOX_ABORTED"
  | "SANDBOX_GO_MISSING"
  | "SANDBOX_GO_TOO_OLD"
  | "SANDBOX_DOWNLOAD_FAILED"
  | "SANDBOX_DISK_FULL"
  | "SANDBOX_BUILD_FAILED"
  | "SANDBOX_NODE_UNSUPPORTED"
  | "SANDBOX_IMAGE_FAILED"
  | "PULUMI_TOO_OLD"
  | "PULUMI_UNUSABLE"
  | "PULUMI_NO_NODE_HOST"
  | "PULUMI_PLUGIN_MISSING"
  | "PULUMI_PASSPHRASE_MISSING";

/** An error of the sandbox. The message states what happened, where, what was expected and what to do. */
export class SandboxError extends Error {
  readonly code: SandboxErrorCode;

  constructor(code: SandboxErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SandboxError";
    this.code = code;
  }
}
