import type { ProviderErrorCode } from "../../../../provider/protocol/errors.ts";
import type { ErrorText } from "../text.ts";

export const akeyless = {
  AKEYLESS_CREDENTIALS_MISSING: {
    meaning: "The environment has no credentials for the Akeyless API.",
    remedy:
      "Set `AKEYLESS_ACCESS_ID` with `AKEYLESS_ACCESS_KEY` or `AKEYLESS_AUTH_JWT`, or one of the [other credentials](akeyless.md#credentials-of-the-deployer).",
  },
  AKEYLESS_LOGIN_UNSUPPORTED: {
    meaning: "`AKEYLESS_ACCESS_TYPE` names a login that the plugin does not support, such as a cloud identity.",
    remedy: "Log in with the CLI of Akeyless (`akeyless auth`) and pass its token as `AKEYLESS_AUTH_TOKEN`.",
  },
  AKEYLESS_UNREACHABLE: {
    meaning: "The host name of the Akeyless API cannot be resolved, or no connection can be opened.",
    remedy:
      "Check host and port in `akeylessGatewayApi`, `akeylessGatewayUrl` or `akeylessApi`, that the gateway runs, and whether a VPN or proxy is needed.",
  },
  AKEYLESS_RESET: {
    meaning: "The server closed the connection during a call.",
    remedy: "Run `pulumi up` again. If the error returns, check the gateway and the proxies between.",
  },
  AKEYLESS_TIMEOUT: {
    meaning: "The server did not answer in time.",
    remedy: "Check the address and firewalls, then run `pulumi up` again.",
  },
  AKEYLESS_TLS: {
    meaning:
      "TLS with the server failed: its certificate is not trusted or has another name, or the server does not speak TLS 1.2 or newer.",
    remedy:
      "Set `akeylessCa` to the CA certificates of the gateway, use a name that its certificate has, and check the clocks.",
  },
  AKEYLESS_NOT_JSON: {
    meaning:
      "The answer is not a JSON object of Akeyless, or a field of it has another type. It comes from a console, a login page or a proxy.",
    remedy:
      "Set `akeylessGatewayApi` or `akeylessApi` to the base URL of a REST API v2: `https://GATEWAY:8000/api/v2`.",
  },
  AKEYLESS_INVALID: {
    meaning: "Akeyless rejected the request as not valid.",
    remedy: "Correct the setting that belongs to the parameter in the message.",
  },
  AKEYLESS_UNAUTHORIZED: {
    meaning: "Akeyless does not accept the credentials in the environment, or the session expired.",
    remedy:
      "Check `AKEYLESS_ACCESS_ID` with `AKEYLESS_ACCESS_KEY` or `AKEYLESS_AUTH_JWT`, or get a new `AKEYLESS_AUTH_TOKEN` or `AKEYLESS_AUTH_UID`.",
  },
  AKEYLESS_FORBIDDEN: {
    meaning: "Akeyless knows the caller and does not permit the call.",
    remedy:
      "Add the rule or permission that the message names to the caller's role. Akeyless gives the same answer for an object that does not exist if the caller may not read its path.",
  },
  AKEYLESS_PUBLIC_GATEWAY: {
    meaning: "The call is for your own gateway, and the server is the public API of Akeyless.",
    remedy:
      "Set `akeylessGatewayApi` to the REST API of your gateway: `https://GATEWAY:8000/api/v2`, or `https://GATEWAY:8081` for an older one.",
  },
  AKEYLESS_WRONG_API: {
    meaning: "The server does not understand the login: it is another port, or another version of the API.",
    remedy:
      "Set `akeylessGatewayApi` to the REST API v2: `https://GATEWAY:8000/api/v2`, or `https://GATEWAY:8081` for an older gateway.",
  },
  AKEYLESS_NOT_FOUND: {
    meaning: "Akeyless has no object with this name, or the caller may not see it.",
    remedy: "Correct the name, or create the object.",
  },
  AKEYLESS_EXISTS: {
    meaning: "Akeyless has an object with this name.",
    remedy: "Set another name, or delete the object if nothing uses it.",
  },
  AKEYLESS_BUSY: {
    meaning: "Akeyless limits the rate of calls, and rejected this one after several attempts.",
    remedy: "Run `pulumi up` again later.",
  },
  AKEYLESS_FAILED: {
    meaning: "The server failed at the call (status 500 or above).",
    remedy: "Read the gateway's log, then run `pulumi up` again.",
  },
  AKEYLESS_STATUS: {
    meaning: "The server answered with a status that the API does not define.",
    remedy: "Check that the URL is the base URL of a REST API v2.",
  },
  AKEYLESS_NAME_TAKEN: {
    meaning:
      "An auth config, auth method, certificate, role or association with this name exists, and its content shows that it is not this stack's.",
    remedy: "Set another name, or delete that object first if nothing logs in by it.",
  },
  AKEYLESS_KEY_LOST: {
    meaning: "An auth method exists whose generated private key is in no state. Akeyless shows such a key only once.",
    remedy:
      "Delete the auth method if nothing logs in by it, and run `pulumi up` again. A stack generates its own key pair. In other programs, pass `publicKey` to `AkeylessAuthMethod`: then no key can be lost.",
  },
  AKEYLESS_NOT_TAKEN: {
    meaning: "Akeyless accepted a config, role or association, and returns other content when it is read.",
    remedy: "Check that no other tool writes this object, and read the gateway's log. Then run `pulumi up` again.",
  },
  AKEYLESS_LOGIN_REFUSED: {
    meaning: "The account in `akeylessProofAccount` cannot log in by the new auth config. The config was reverted.",
    remedy: "Check that the gateway reaches the API server, and that the bounds of the auth method admit the account.",
  },
  AKEYLESS_LOGIN_UNPROVED: {
    meaning:
      "The auth config is at the gateway, and the proving login got an answer that does not say whether it works.",
    remedy:
      "Set `akeylessGatewayUrl` to the URL of the gateway's Configuration Manager (port 8000, with its path), and run `pulumi up` again.",
  },
  AKEYLESS_NOT_IMPORTABLE: {
    meaning: "`pulumi import` cannot import an Akeyless resource. Akeyless does not return all that the state needs.",
    remedy:
      "Declare the resource in the program and run `pulumi up`. For an auth method, set `akeylessAccessId` and `akeylessSigningKey` instead.",
  },
} satisfies Partial<Record<ProviderErrorCode, ErrorText>>;
