import type { ClientErrorCode } from "../../../verifier/client/errors.ts";
import type { ErrorText } from "./text.ts";

export const client: Readonly<Record<ClientErrorCode, ErrorText>> = {
  CLIENT_CONFIG: {
    meaning: "A flag is unknown, missing or given twice, or has a value that is not accepted. Exit status 2.",
    remedy: "Correct the flag that the message names. `--help` lists all.",
  },
  CLIENT_TOKEN_FILE: {
    meaning: "The token file cannot be read, or does not hold one line with a token.",
    remedy:
      "Mount a projected token for the audience of the service at this path, and check that the process may read it.",
  },
  CLIENT_CA_FILE: {
    meaning: "The CA file cannot be read, or holds no PEM certificate.",
    remedy: "Set the path to a file with the CA certificates of the service, PEM.",
  },
  CLIENT_TIMEOUT: {
    meaning: "The service did not answer in time.",
    remedy: "Check that the service and its verifier run. Raise the timeout if the service needs longer.",
  },
  CLIENT_UNREACHABLE: {
    meaning: "No attempt got a connection to the service, or TLS failed. The message has the code of Node.js.",
    remedy: "Check the URL, the Service and its endpoints, NetworkPolicies and, for TLS, the CA file.",
  },
  CLIENT_ABORTED: {
    meaning: "The caller cancelled the call by its signal.",
    remedy: "None is needed, unless the signal comes from a time limit that is too short.",
  },
  CLIENT_INTERNAL: {
    meaning: "The client met an error that it does not expect.",
    remedy: "Report it with the line that the client printed: it is a defect of the client.",
  },
};
