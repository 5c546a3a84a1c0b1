import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  akeylessGatewayAccountAuthConfig,
  akeylessRancherAuthConfig,
  GatewayInputError,
  maskSecretFields,
} from "../../../gateways/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const signingKey = Buffer.from(privateKey.export({ type: "pkcs1", format: "pem" }) as string).toString("base64");
const method = { accessId: "p-0123456789ab", signingKey };
const options = { name: "k8s-conf", validateIssuer: false };
const caPem = makeCertificate({ commonName: "rancher-ca" }).certPem.replaceAll("\r\n", "\n");
const issuer = "https://kubernetes.default.svc.cluster.local";
const rancher = {
  host: "https://rancher.example.com/",
  caPem,
  issuer,
  audience: "",
  apiKey: "token-abcde:s3cret-s3cret",
  clusterId: "c-m-abcdefgh",
};

describe("the auth config for Rancher", () => {
  test("has exactly the fields of this kind", () => {
    expect(akeylessRancherAuthConfig(rancher, method, options)).toEqual({
      name: "k8s-conf",
      "access-id": "p-0123456789ab",
      "signing-key": signingKey,
      "cluster-api-type": "rancher",
      "k8s-host": "https://rancher.example.com",
      "k8s-ca-cert": Buffer.from(caPem).toString("base64"),
      "rancher-api-key": "token-abcde:s3cret-s3cret",
      "rancher-cluster-id": "c-m-abcdefgh",
      "k8s-issuer": issuer,
      "disable-issuer-validation": "true",
    });
  });

  test("has the lifetime of the gateway's token in seconds, if one is set", () => {
    expect(akeylessRancherAuthConfig(rancher, method, { ...options, tokenExpiration: 600 })["token-exp"]).toBe(600);
    expect(akeylessRancherAuthConfig(rancher, method, options)).not.toHaveProperty("token-exp");
    expect(() => akeylessRancherAuthConfig(rancher, method, { ...options, tokenExpiration: 0.5 })).toThrow(/token-exp/);
  });

  test("omits an absent CA and issuer", () => {
    const config = akeylessRancherAuthConfig({ ...rancher, caPem: "", issuer: "" }, method, options);
    expect(config).not.toHaveProperty("k8s-ca-cert");
    expect(config).not.toHaveProperty("k8s-issuer");
  });

  test.each([
    ["Bearer token-abcde:s3cret-s3cret", "a header's scheme"],
    [" token-abcde:s3cret-s3cret\r\n", "white space around"],
  ])("takes off %j: %s", (apiKey) => {
    const config = akeylessRancherAuthConfig({ ...rancher, apiKey }, method, options);
    expect(config["rancher-api-key"]).toBe("token-abcde:s3cret-s3cret");
  });

  test.each([
    ["rancher-api-key", { apiKey: "token-abcde" }],
    ["rancher-api-key", { apiKey: Buffer.from(rancher.apiKey).toString("base64") }],
    ["rancher-cluster-id", { clusterId: "" }],
    ["rancher-cluster-id", { clusterId: "c-abcde/k8s" }],
    ["k8s-host", { host: "https://rancher.example.com/k8s/clusters/c-abcde" }],
    ["k8s-host", { host: "http://rancher.example.com" }],
    ["k8s-host", { host: "rancher.example.com" }],
    ["k8s-ca-cert", { caPem: "not PEM" }],
  ])("refuses by the name of the field %s what can't be right: %j", (field, wrong) => {
    expect(thrownBy(() => akeylessRancherAuthConfig({ ...rancher, ...wrong }, method, options))).toMatchObject({
      field,
    });
  });

  test("does not show a refused key", () => {
    const apiKey = "token-abcde s3cret-s3cret";
    expect(thrownBy(() => akeylessRancherAuthConfig({ ...rancher, apiKey }, method, options)).message).not.toContain(
      "s3cret",
    );
  });

  test("is masked completely", () => {
    const shown = JSON.stringify(maskSecretFields(akeylessRancherAuthConfig(rancher, method, options)));
    expect(shown).not.toContain("s3cret");
    expect(shown).not.toContain(signingKey);
  });
});

describe("the auth config by the gateway's own service account", () => {
  const access = { host: "https://kubernetes.default.svc", caPem, issuer, audience: "" };

  test("has a host, and neither CA nor token: those are the pod's", () => {
    expect(akeylessGatewayAccountAuthConfig(access, method, options)).toEqual({
      name: "k8s-conf",
      "access-id": "p-0123456789ab",
      "signing-key": signingKey,
      "cluster-api-type": "native_k8s",
      "k8s-auth-type": "token",
      "k8s-host": "https://kubernetes.default.svc",
      "use-gw-service-account": true,
      "k8s-issuer": issuer,
      "disable-issuer-validation": "true",
    });
  });

  test("needs the issuer if it must be validated", () => {
    const validating = { ...options, validateIssuer: true };
    expect(akeylessGatewayAccountAuthConfig(access, method, validating)["disable-issuer-validation"]).toBe("false");
    const error = thrownBy(() => akeylessGatewayAccountAuthConfig({ ...access, issuer: "" }, method, validating));
    expect(error.field).toBe("k8s-issuer");
  });
});

function thrownBy(act: () => unknown): GatewayInputError {
  try {
    act();
  } catch (error) {
    if (error instanceof GatewayInputError) return error;
    throw error;
  }
  return expect.fail("nothing was refused");
}
