import { describe, expect, expectTypeOf, test } from "vitest";
import {
  type AkeylessCertificateAuthConfig,
  type AkeylessTokenAuthConfig,
  type Base64Pem,
  type ConsulAuthMethodConfig,
  consulAuthMethodConfig,
  GatewayInputError,
  infisicalKubernetesAuth,
  type Jwt,
  type Pem,
  type VaultKubernetesAuthConfig,
  vaultAuthConfig,
} from "../../../gateways/index.ts";
import { certificateAccess } from "./fixtures.ts";

const everybody = { allowedNamespaces: [], allowedNames: [] };

describe("a client certificate for a product that accepts none is a type error, and an error at run time", () => {
  test.each<[string, string, () => unknown]>([
    // @ts-expect-error: no token
    ["Vault", "token_reviewer_jwt", () => vaultAuthConfig(certificateAccess)],
    // @ts-expect-error: no token
    ["Consul", "ServiceAccountJWT", () => consulAuthMethodConfig(certificateAccess)],
    // @ts-expect-error: no token
    ["Infisical", "tokenReviewerJwt", () => infisicalKubernetesAuth(certificateAccess, everybody)],
  ])("%s", (product, field, format) => {
    expect(format).toThrow(GatewayInputError);
    expect(format).toThrow(`${field}: is absent, and ${product} accepts no client certificate`);
  });
});

test("a value with another encoding than the field's is a type error", () => {
  type Akeyless = AkeylessTokenAuthConfig &
    Pick<AkeylessCertificateAuthConfig, "k8s-client-certificate" | "k8s-client-key">;
  type Encoded = "k8s-ca-cert" | "signing-key" | "k8s-client-certificate" | "k8s-client-key";
  expectTypeOf<Required<Akeyless>[Encoded]>().toEqualTypeOf<Base64Pem>();
  expectTypeOf<Akeyless["token-reviewer-jwt"]>().toEqualTypeOf<Jwt>();
  expectTypeOf<Required<VaultKubernetesAuthConfig>["kubernetes_ca_cert"]>().toEqualTypeOf<Pem>();
  expectTypeOf<ConsulAuthMethodConfig["CACert"]>().toEqualTypeOf<Pem>();
  expectTypeOf<Pem>().not.toExtend<Base64Pem>();
  expectTypeOf<Base64Pem>().not.toExtend<Pem>();
  expectTypeOf<string>().not.toExtend<Pem | Base64Pem | Jwt>();
});
