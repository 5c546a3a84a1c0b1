import { ProviderError } from "../../protocol/errors.ts";

/** The field that authorizes a call: the token of a session, or of a universal identity, which needs no login. */
export type Session = { readonly token: string } | { readonly "uid-token": string };

/** The caller's credentials: a session, or the body of a login that returns one. */
export type Credentials = { readonly session: Session } | { readonly login: Readonly<Record<string, string>> };

const missingRemedy =
  "Set AKEYLESS_ACCESS_ID with AKEYLESS_ACCESS_KEY or AKEYLESS_AUTH_JWT, or set AKEYLESS_AUTH_TOKEN or AKEYLESS_AUTH_UID, in the environment of up. They are not stored.";

/** Access types whose login needs a cloud's metadata service. */
const cloudTypes = ["aws_iam", "azure_ad", "gcp", "oci"];

/**
 * Reads the caller's credentials from the environment, under the names that Akeyless's Terraform provider gives them.
 *
 * | variables | login |
 * |---|---|
 * | `AKEYLESS_ACCESS_ID`, `AKEYLESS_ACCESS_KEY` | access key |
 * | `AKEYLESS_ACCESS_ID`, `AKEYLESS_AUTH_JWT` | JWT; OIDC if `AKEYLESS_ACCESS_TYPE` is `oidc` |
 * | `AKEYLESS_AUTH_UID` (`u-…`) | none: universal identity |
 * | `AKEYLESS_AUTH_TOKEN` or `AKEYLESS_TOKEN` (`t-…`, or `u-…`) | none: a session of an earlier login |
 *
 * @throws ProviderError AKEYLESS_CREDENTIALS_MISSING, AKEYLESS_LOGIN_UNSUPPORTED
 */
export function credentialsOf(env: NodeJS.ProcessEnv, url: string): Credentials {
  const { AKEYLESS_ACCESS_ID: accessId, AKEYLESS_ACCESS_KEY: accessKey, AKEYLESS_AUTH_JWT: jwt } = env;
  const type = env.AKEYLESS_ACCESS_TYPE ?? "";
  if (accessId && accessKey) {
    return { login: { "access-type": "access_key", "access-id": accessId, "access-key": accessKey } };
  }
  if (accessId && jwt) {
    return { login: { "access-type": type === "oidc" ? "oidc" : "jwt", "access-id": accessId, jwt } };
  }
  const token = env.AKEYLESS_AUTH_UID || env.AKEYLESS_AUTH_TOKEN || env.AKEYLESS_TOKEN;
  if (token) return { session: token.startsWith("u-") ? { "uid-token": token } : { token } };
  if (type !== "" && !["access_key", "api_key", "jwt", "oidc", "universal_identity"].includes(type)) {
    const what = cloudTypes.includes(type) ? `Logins by a cloud identity (${type})` : `Logins of the type ${type}`;
    throw new ProviderError(
      "AKEYLESS_LOGIN_UNSUPPORTED",
      `${what} are not supported.`,
      `Log in with Akeyless's CLI (akeyless auth --access-type ${type} --access-id ACCESS_ID --json) and pass its token as AKEYLESS_AUTH_TOKEN.`,
    );
  }
  throw new ProviderError(
    "AKEYLESS_CREDENTIALS_MISSING",
    `There are no credentials for ${url} in the environment.`,
    missingRemedy,
  );
}
