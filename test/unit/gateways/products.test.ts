import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  akeylessCertificateAuthConfig,
  akeylessGatewayAccountAuthConfig,
  akeylessRancherAuthConfig,
  akeylessTokenAuthConfig,
  akeylessWorkloadLogin,
  consulAuthMethodConfig,
  infisicalKubernetesAuth,
  kubeconfig,
  maskSecretFields,
  projectedToken,
  vaultAuthConfig,
} from "../../../gateways/index.ts";
import { base64, ca, certificateAccess, client, jwt, signingKeyPem, tokenAccess } from "./fixtures.ts";

const method = { accessId: "p-0123456789ab", signingKey: base64(signingKeyPem) };
const { token: _token, ...core } = tokenAccess;
const options = { name: "k8s-conf", validateIssuer: false };

describe("Akeyless", () => {
  test("has exactly these fields and encodings with a token", () => {
    expect(akeylessTokenAuthConfig(tokenAccess, method, options)).toEqual({
      name: "k8s-conf",
      "access-id": "p-0123456789ab",
      "signing-key": base64(signingKeyPem),
      "cluster-api-type": "native_k8s",
      "k8s-auth-type": "token",
      "k8s-host": "https://api.example.com:6443",
      "k8s-ca-cert": base64(ca),
      "token-reviewer-jwt": jwt,
      "k8s-issuer": "https://issuer.example.com",
      "disable-issuer-validation": "true",
    });
  });

  test("has exactly these fields and encodings with a certificate, and no token", () => {
    const config = akeylessCertificateAuthConfig(certificateAccess, method, options);
    expect(config).toMatchObject({
      "k8s-auth-type": "certificate",
      "k8s-client-certificate": base64(client.certPem),
      "k8s-client-key": base64(client.keyPem),
    });
    expect(config).not.toHaveProperty("token-reviewer-jwt");
  });

  test("validates the issuer only if that is known", () => {
    const validating = { ...options, validateIssuer: true };
    expect(akeylessTokenAuthConfig(tokenAccess, method, validating)["disable-issuer-validation"]).toBe("false");
    const unknown = { ...tokenAccess, issuer: "" };
    expect(() => akeylessTokenAuthConfig(unknown, method, validating)).toThrow(
      expect.objectContaining({ field: "k8s-issuer" }),
    );
    expect(akeylessTokenAuthConfig(unknown, method, options)).not.toHaveProperty("k8s-issuer");
  });

  test("gets no CA if a public CA signed the host's certificate", () => {
    expect(akeylessTokenAuthConfig({ ...tokenAccess, caPem: "" }, method, options)).not.toHaveProperty("k8s-ca-cert");
  });

  test("trims an access id", () => {
    const config = akeylessTokenAuthConfig(tokenAccess, { ...method, accessId: " p-0123456789ab\r\n" }, options);
    expect(config["access-id"]).toBe("p-0123456789ab");
  });

  test.each(["", "0123", "p-", "p-12 34", "acc-123"])("has no access id such as %j", (accessId) => {
    expect(() => akeylessTokenAuthConfig(tokenAccess, { ...method, accessId }, options)).toThrow(
      expect.objectContaining({ field: "access-id" }),
    );
  });

  test("gives a workload parameters and a volume, and no secret", () => {
    const login = akeylessWorkloadLogin({
      accessId: "p-0123456789ab",
      gatewayUrl: "https://gw.example.com",
      authConfigName: "k8s-conf",
      audience: "akeyless",
    });
    expect(login).toMatchObject({ k8sAuthConfigName: "k8s-conf", k8sTokenPath: "/var/run/secrets/k8sauth/token" });
    expect(maskSecretFields(login)).toEqual(login);
  });
});

test("a workload's token is mounted at the path of the login, for the audience or the API server's own", () => {
  const { tokenPath, volume, volumeMount } = projectedToken("vault");
  expect(tokenPath.startsWith(`${volumeMount.mountPath}/`)).toBe(true);
  expect(volumeMount.name).toBe(volume.name);
  expect(volume.projected.sources).toEqual([
    { serviceAccountToken: { path: "token", expirationSeconds: 3600, audience: "vault" } },
  ]);
  expect(projectedToken("").volume.projected.sources[0]?.serviceAccountToken).not.toHaveProperty("audience");
});

test("Vault and OpenBao take raw PEM with a final newline and the raw JWT", () => {
  expect(vaultAuthConfig({ ...tokenAccess, caPem: ca.trimEnd() })).toEqual({
    kubernetes_host: "https://api.example.com:6443",
    kubernetes_ca_cert: ca,
    token_reviewer_jwt: jwt,
    disable_local_ca_jwt: true,
  });
  expect(vaultAuthConfig({ ...tokenAccess, caPem: "" })).not.toHaveProperty("kubernetes_ca_cert");
});

test("Consul gets raw PEM and the raw JWT in its own fields", () => {
  expect(consulAuthMethodConfig(tokenAccess)).toEqual({ Host: tokenAccess.host, CACert: ca, ServiceAccountJWT: jwt });
});

test("Consul without a CA is refused, because Consul requires one", () => {
  expect(() => consulAuthMethodConfig({ ...tokenAccess, caPem: "" })).toThrow(
    expect.objectContaining({ field: "CACert" }),
  );
});

test("Infisical gets lists as text, and a name that would break a list is refused", () => {
  const allowed = { allowedNamespaces: ["a", "b"], allowedNames: [] };
  expect(infisicalKubernetesAuth({ ...tokenAccess, audience: "infisical" }, allowed)).toEqual({
    kubernetesHost: "https://api.example.com:6443",
    caCert: ca,
    tokenReviewMode: "api",
    tokenReviewerJwt: jwt,
    allowedNamespaces: "a,b",
    allowedNames: "",
    allowedAudience: "infisical",
  });
  expect(infisicalKubernetesAuth({ ...tokenAccess, caPem: "" }, allowed)).toMatchObject({ caCert: "" });
  expect(() => infisicalKubernetesAuth(tokenAccess, { ...allowed, allowedNames: ["a,b"] })).toThrow(
    expect.objectContaining({ field: "allowedNames" }),
  );
});

describe("a kubeconfig", () => {
  test("contains one user with embedded credentials and the current context", () => {
    const config = JSON.parse(kubeconfig(tokenAccess, { user: "reviewer", cluster: "prod", namespace: "n" }));
    expect(config).toMatchObject({
      "current-context": "reviewer",
      contexts: [{ name: "reviewer", context: { cluster: "prod", user: "reviewer", namespace: "n" } }],
      clusters: [{ name: "prod", cluster: { server: tokenAccess.host, "certificate-authority-data": base64(ca) } }],
      users: [{ name: "reviewer", user: { token: jwt } }],
    });
  });

  test("of a certificate contains certificate and key", () => {
    const config = JSON.parse(kubeconfig(certificateAccess, { user: "reviewer", cluster: "prod" }));
    const { user } = config.users[0];
    const decoded = (field: string) => Buffer.from(user[field], "base64").toString();
    const certificate = new X509Certificate(decoded("client-certificate-data"));
    expect(certificate.checkPrivateKey(createPrivateKey(decoded("client-key-data")))).toBe(true);
  });
});

describe("invalid input is refused with the product's name of the field, and not shown", () => {
  const hush = "hush hush";
  const names = { user: "reviewer", cluster: "prod" };
  const everybody = { allowedNamespaces: [], allowedNames: [] };
  const token = (change: Partial<typeof tokenAccess>) => ({ ...tokenAccess, ...change });
  const certificate = (change: Partial<typeof certificateAccess>) => ({ ...certificateAccess, ...change });
  const rancher = { ...core, apiKey: "token-a:b", clusterId: "c-1" };
  test.each<[product: string, field: string, format: () => unknown]>([
    ["Akeyless", "k8s-host", () => akeylessTokenAuthConfig(token({ host: hush }), method, options)],
    ["Akeyless", "k8s-ca-cert", () => akeylessTokenAuthConfig(token({ caPem: hush }), method, options)],
    ["Akeyless", "k8s-issuer", () => akeylessTokenAuthConfig(token({ issuer: hush }), method, options)],
    ["Akeyless", "token-reviewer-jwt", () => akeylessTokenAuthConfig(token({ token: hush }), method, options)],
    ["Akeyless", "access-id", () => akeylessTokenAuthConfig(tokenAccess, { ...method, accessId: hush }, options)],
    ["Akeyless", "signing-key", () => akeylessTokenAuthConfig(tokenAccess, { ...method, signingKey: hush }, options)],
    [
      "Akeyless",
      "k8s-client-certificate",
      () => akeylessCertificateAuthConfig(certificate({ certificatePem: hush }), method, options),
    ],
    [
      "Akeyless",
      "k8s-client-key",
      () => akeylessCertificateAuthConfig(certificate({ privateKeyPem: hush }), method, options),
    ],
    ["Akeyless", "k8s-host", () => akeylessRancherAuthConfig({ ...rancher, host: hush }, method, options)],
    ["Akeyless", "k8s-ca-cert", () => akeylessRancherAuthConfig({ ...rancher, caPem: hush }, method, options)],
    ["Akeyless", "rancher-api-key", () => akeylessRancherAuthConfig({ ...rancher, apiKey: hush }, method, options)],
    [
      "Akeyless",
      "rancher-cluster-id",
      () => akeylessRancherAuthConfig({ ...rancher, clusterId: hush }, method, options),
    ],
    ["Akeyless", "k8s-host", () => akeylessGatewayAccountAuthConfig({ ...core, host: hush }, method, options)],
    ["Vault", "kubernetes_host", () => vaultAuthConfig(token({ host: hush }))],
    ["Vault", "kubernetes_ca_cert", () => vaultAuthConfig(token({ caPem: hush }))],
    ["Vault", "token_reviewer_jwt", () => vaultAuthConfig(token({ token: hush }))],
    ["Consul", "Host", () => consulAuthMethodConfig(token({ host: hush }))],
    ["Consul", "CACert", () => consulAuthMethodConfig(token({ caPem: hush }))],
    ["Consul", "ServiceAccountJWT", () => consulAuthMethodConfig(token({ token: hush }))],
    ["Infisical", "kubernetesHost", () => infisicalKubernetesAuth(token({ host: hush }), everybody)],
    ["Infisical", "caCert", () => infisicalKubernetesAuth(token({ caPem: hush }), everybody)],
    ["Infisical", "tokenReviewerJwt", () => infisicalKubernetesAuth(token({ token: hush }), everybody)],
    ["a kubeconfig", "server", () => kubeconfig(token({ host: hush }), names)],
    ["a kubeconfig", "certificate-authority-data", () => kubeconfig(token({ caPem: hush }), names)],
    ["a kubeconfig", "token", () => kubeconfig(token({ token: hush }), names)],
    ["a kubeconfig", "client-certificate-data", () => kubeconfig(certificate({ certificatePem: hush }), names)],
    ["a kubeconfig", "client-key-data", () => kubeconfig(certificate({ privateKeyPem: hush }), names)],
  ])("%s: %s", (_product, field, format) => {
    expect(format).toThrow(expect.objectContaining({ code: "GATEWAY_INPUT_INVALID", field }));
    expect(format).not.toThrow(hush);
  });
});

test.each<[string, object, readonly string[]]>([
  ["Akeyless, token", akeylessTokenAuthConfig(tokenAccess, method, options), ["signing-key", "token-reviewer-jwt"]],
  [
    "Akeyless, certificate",
    akeylessCertificateAuthConfig(certificateAccess, method, options),
    ["signing-key", "k8s-client-key"],
  ],
  [
    "Akeyless, rancher",
    akeylessRancherAuthConfig({ ...core, apiKey: "token-a:b", clusterId: "c-1" }, method, options),
    ["signing-key", "rancher-api-key"],
  ],
  ["Vault", vaultAuthConfig(tokenAccess), ["token_reviewer_jwt"]],
  ["Consul", consulAuthMethodConfig(tokenAccess), ["ServiceAccountJWT"]],
  [
    "Infisical",
    infisicalKubernetesAuth(tokenAccess, { allowedNamespaces: [], allowedNames: [] }),
    ["tokenReviewerJwt"],
  ],
])("%s: its secret fields are masked whatever their text", (_product, config, secret) => {
  const opaque = Object.fromEntries(Object.keys(config).map((field) => [field, "opaque"]));
  const shown = maskSecretFields(opaque) as Record<string, string>;
  expect(
    Object.keys(shown)
      .filter((field) => shown[field] === "[secret]")
      .sort(),
  ).toEqual([...secret].sort());
});

describe("masking for display", () => {
  const names = { user: "reviewer", cluster: "prod" };
  test.each<[string, unknown]>([
    ["Akeyless, token", akeylessTokenAuthConfig(tokenAccess, method, options)],
    ["Akeyless, certificate", akeylessCertificateAuthConfig(certificateAccess, method, options)],
    ["Vault", vaultAuthConfig(tokenAccess)],
    ["Consul", consulAuthMethodConfig(tokenAccess)],
    ["Infisical", infisicalKubernetesAuth(tokenAccess, { allowedNamespaces: [], allowedNames: [] })],
    ["a kubeconfig with a token", kubeconfig(tokenAccess, names)],
    ["a kubeconfig with a key", kubeconfig(certificateAccess, names)],
    ["the core with a token", tokenAccess],
    ["the core with a key", certificateAccess],
  ])("%s shows no secret", (_product, config) => {
    const shown = JSON.stringify(maskSecretFields(config));
    for (const hidden of [jwt, jwt.split(".")[1], client.keyPem, base64(client.keyPem), base64(signingKeyPem)]) {
      expect(shown).not.toContain(JSON.stringify(hidden).slice(1, -1));
    }
    expect(shown).toContain("[secret]");
  });

  test("other values are unchanged", () => {
    const shown = maskSecretFields({ nested: [akeylessTokenAuthConfig(tokenAccess, method, options)] });
    expect(shown).toMatchObject({ nested: [{ "k8s-host": tokenAccess.host, "k8s-ca-cert": base64(ca) }] });
  });
});
