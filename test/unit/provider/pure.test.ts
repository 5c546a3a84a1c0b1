import { describe, expect, test } from "vitest";
import { localReason } from "../../../kubernetes/cluster/hostReach.ts";
import { describeRight } from "../../../kubernetes/cluster/rights.ts";
import { distributionOf } from "../../../kubernetes/cluster/version.ts";
import { claims } from "../../../kubernetes/jwt.ts";
import { gatewayHost } from "../../../provider/cluster/gatewayHost.ts";
import { describe as errorText, ProviderError } from "../../../provider/protocol/errors.ts";
import { decode, encode, hasUnknown, secret, unknown } from "../../../provider/protocol/wire.ts";

const mark = "4dabf18193072939515e22adb298388d";

describe("values on the wire", () => {
  test("secrets, outputs and resources become their values", () => {
    const wire = {
      secret: { [mark]: "1b47061264138c4ac30d75fd1eb44270", value: { a: [1] } },
      output: { [mark]: "d0e6a833031e9bbcd3f4e8bde6ca49a4", value: "v", secret: true, dependencies: [] },
      resource: { [mark]: "5cf8f73096256a8f31e491e813e4eb8e", urn: "urn:x", id: "the-id" },
    };
    expect(decode(wire)).toEqual({ secret: { a: [1] }, output: "v", resource: "the-id" });
  });

  test("every mark of an unknown value is one, also deep inside and inside a secret", () => {
    const unknownText = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
    expect(decode(unknownText)).toBe(unknown);
    expect(decode({ [mark]: "d0e6a833031e9bbcd3f4e8bde6ca49a4" })).toBe(unknown);
    expect(hasUnknown(decode([{ a: { [mark]: "1b47061264138c4ac30d75fd1eb44270", value: unknownText } }]))).toBe(true);
    expect(hasUnknown(decode({ a: ["b", null, 1] }))).toBe(false);
    expect(encode({ a: unknown, b: undefined })).toEqual({ a: unknownText });
  });

  test("a secret is wrapped once, and an output is marked where it says so itself", () => {
    const output = { [mark]: "d0e6a833031e9bbcd3f4e8bde6ca49a4", value: "v" };
    expect(secret(output)).toEqual({ ...output, secret: true });
    expect(secret(secret("x"))).toEqual(secret("x"));
  });
});

test.each([
  ["localhost", true],
  ["api.localhost.", true],
  ["127.0.0.1", true],
  ["127.8.9.1", true],
  ["0.0.0.0", true],
  ["169.254.1.1", true],
  ["::1", true],
  ["::ffff:7f00:1", true],
  ["::ffff:a00:1", false],
  ["fe80::1", true],
  ["kubernetes.default.svc", true],
  ["10.0.0.1", false],
  ["192.168.1.1", false],
  ["localhost.example.com", false],
  ["k8s.example.com", false],
  ["2001:db8::1", false],
])("whether %s is useless from outside: %s", (host, useless) => {
  expect(localReason(host) !== undefined).toBe(useless);
});

test("a host loses its last slash and keeps its path", () => {
  expect(gatewayHost("https://rancher.example.com/k8s/clusters/c-1/")).toBe(
    "https://rancher.example.com/k8s/clusters/c-1",
  );
  expect(gatewayHost("https://K8S.example.com:443")).toBe("https://k8s.example.com");
});

test.each([
  ["v1.31.2-eks-7f9249a", "https://x.gr7.eu-west-1.eks.amazonaws.com", "EKS"],
  ["v1.31.1-gke.1678000", "https://34.1.1.1", "GKE"],
  ["v1.31.3+k3s1", "https://10.0.0.1:6443", "k3s"],
  ["v1.31.3+rke2r1", "https://10.0.0.1:6443", "RKE2"],
  ["v1.31.1", "https://a-dns-1.hcp.westeurope.azmk8s.io:443", "AKS"],
  ["v1.36.3", "https://10.0.0.1:6443", "Kubernetes"],
])("%s at %s is %s", (version, server, distribution) => {
  expect(distributionOf(version, server)).toBe(distribution);
});

test("a right is said with verb, resource and scope", () => {
  expect(describeRight({ verb: "create", group: "authentication.k8s.io", resource: "tokenreviews" })).toBe(
    "create tokenreviews.authentication.k8s.io in the whole cluster",
  );
  expect(
    describeRight({ verb: "get", resource: "serviceaccounts", subresource: "token", namespace: "a", name: "b" }),
  ).toBe('get serviceaccounts/token "b" in namespace a');
  expect(describeRight({ verb: "get", nonResourcePath: "/openid/v1/jwks" })).toBe("get /openid/v1/jwks");
});

test("claims are read from a JWT, and from nothing else", () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  expect(claims(`${part({ alg: "none" })}.${part({ sub: "s", iss: "i" })}.x`)).toMatchObject({ sub: "s", iss: "i" });
  expect(claims("nothing")).toBeUndefined();
  expect(claims("a.b.c")).toBeUndefined();
});

test("errors carry their code, and no token or key", () => {
  const jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln";
  const key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----";
  const text = errorText(new ProviderError("TOKEN_REFUSED", `${jwt} ${key} Authorization: Bearer abcdefgh12345`));
  expect(text).toBe("TOKEN_REFUSED: [token] [private key] Authorization: Bearer [credential]");
  expect(errorText(new Error(`boom ${jwt}`))).toMatch(/^INTERNAL: Error: boom \[token\]/);
});
