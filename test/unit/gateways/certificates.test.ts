import { describe, expect, test } from "vitest";
import {
  consulAuthMethodConfig,
  GatewayInputError,
  infisicalKubernetesAuth,
  vaultAuthConfig,
} from "../../../gateways/index.ts";
import { certificateAccess } from "./fixtures.ts";

const everybody = { allowedNamespaces: [], allowedNames: [] };

describe("a client certificate for a product that takes none is an error of types, and one that says so at run time", () => {
  test.each<[string, string, () => unknown]>([
    // @ts-expect-error: no token
    ["Vault", "token_reviewer_jwt", () => vaultAuthConfig(certificateAccess)],
    // @ts-expect-error: no token
    ["Consul", "ServiceAccountJWT", () => consulAuthMethodConfig(certificateAccess)],
    // @ts-expect-error: no token
    ["Infisical", "tokenReviewerJwt", () => infisicalKubernetesAuth(certificateAccess, everybody)],
  ])("%s", (product, field, format) => {
    expect(format).toThrow(GatewayInputError);
    expect(format).toThrow(`${field}: there is no token, and ${product} takes no client certificate`);
  });
});
