/** Codes of the client's errors. They are stable. docs/errors.md explains each. */
export type ClientErrorCode =
  | "CLIENT_CONFIG"
  | "CLIENT_TOKEN_FILE"
  | "CLIENT_CA_FILE"
  | "CLIENT_TIMEOUT"
  | "CLIENT_UNREACHABLE"
  | "CLIENT_ABORTED"
  // any other error, only of the command
  | "CLIENT_INTERNAL";

/** An error of the client. Its message does not contain the token. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string) {
    super(message);
    this.name = "ClientError";
    this.code = code;
  }
}
