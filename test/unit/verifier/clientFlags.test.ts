import { describe, expect, test } from "vitest";
import { ServiceClient } from "../../../verifier/client/client.ts";
import { ClientError } from "../../../verifier/client/errors.ts";
import { clientCommand } from "../../../verifier/client/flags.ts";

describe("flags and variables", () => {
  test("flags win over variables", () => {
    const env = { K8SAUTH_CLIENT_URL: "http://env", K8SAUTH_CLIENT_TOKEN_FILE: "/env", K8SAUTH_CLIENT_INTERVAL: "5" };
    expect(clientCommand(["--url=http://flag", "--attempts", "2"], env)).toMatchObject({
      url: "http://flag",
      tokenFile: "/env",
      intervalSeconds: 5,
      timeoutSeconds: 5,
      attempts: 2,
    });
  });
  test.each([
    [[]],
    [["--url", "http://a"]],
    [["--url"]],
    [["--url", "http://a", "--url", "http://b"]],
    [["--verbose", "x"]],
    [["--url", "http://a", "--token-file", "/t", "--interval", "0"]],
    [["--url", "http://a", "--token-file", "/t", "--attempts", "1.5"]],
    [["--url", "http://a", "--token-file", "/t", "--timeout", "x"]],
  ])("%j is refused", (args) => {
    expect(() => clientCommand(args, {})).toThrow(ClientError);
  });
  test.each(["ftp://a", "nonsense", "http://user@host", ""])("the URL %j is refused", (url) => {
    expect(() => new ServiceClient({ url, tokenFile: "/t" })).toThrow(
      expect.objectContaining({ code: "CLIENT_CONFIG" }),
    );
  });
});
