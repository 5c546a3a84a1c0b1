/** Codes of what can keep a client from an answer. Codes are stable: match on them. docs/errors.md explains each. */
export type ClientErrorCode =
  | "CLIENT_CONFIG"
  | "CLIENT_TOKEN_FILE"
  | "CLIENT_CA_FILE"
  | "CLIENT_TIMEOUT"
  | "CLIENT_UNREACHABLE"
  | "CLIENT_ABORTED"
  // an error of none of these kinds; of the command alone
  | "CLIENT_INTERNAL";

/** An error of the client. Its message never holds the token. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string) {
    super(message);
    this.name = "ClientError";
    this.code = code;
  }
}
