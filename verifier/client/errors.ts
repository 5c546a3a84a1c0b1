/** What can keep a client from an answer. Codes are stable: match on them. */
export type ClientErrorCode =
  | "CLIENT_CONFIG"
  | "CLIENT_TOKEN_FILE"
  | "CLIENT_CA_FILE"
  | "CLIENT_TIMEOUT"
  | "CLIENT_UNREACHABLE"
  | "CLIENT_ABORTED";

/** An error of the client. Its message never holds the token. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string) {
    super(message);
    this.name = "ClientError";
    this.code = code;
  }
}
