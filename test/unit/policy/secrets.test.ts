import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { judge, passed, unknown } from "./judge.ts";

describe("secrets-marked", () => {
  test.each([
    ["kubernetes:core/v1:Secret", ["data", "stringData"]],
    ["k8sauth:index:ReviewerToken", ["token"]],
    ["k8sauth:index:AkeylessAuthMethod", ["privateKey"]],
    ["tls:index/privateKey:PrivateKey", ["privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"]],
  ])("refuses a %s whose secret outputs are not all marked", (type, outputs) => {
    expect(judge("secrets-marked", { type, props: {}, additionalSecretOutputs: outputs })).toEqual(passed);
    const { violations } = judge("secrets-marked", { type, props: {}, additionalSecretOutputs: outputs.slice(1) });
    expect(violations).toEqual([expect.stringContaining(`Not marked: ${outputs[0]}.`)]);
  });

  test("ignores other types", () => {
    expect(judge("secrets-marked", { type: "kubernetes:core/v1:ConfigMap", props: {} }).applies).toBe(false);
  });
});

describe("no-credential-in-the-open", () => {
  const rule = "no-credential-in-the-open";
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keys = (["pkcs8", "sec1"] as const).map((type) => privateKey.export({ type, format: "pem" }) as string);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const token = `${part({ alg: "RS256", kid: "k" })}.${part({ sub: "system:serviceaccount:a:b" })}.${"c2lnbmF0dXJl".repeat(4)}`;
  const credentials = [...keys, ...keys.map((pem) => Buffer.from(pem).toString("base64")), token, `Bearer ${token}`];
  const configMap = (data: unknown) => ({ type: "kubernetes:core/v1:ConfigMap", props: { data } });

  test.each(credentials.map((value, index) => [index, value] as const))(
    "refuses credential %i wherever it is",
    (_index, value) => {
      const pod = { spec: { containers: [{ name: "c", args: ["-t", value], env: [{ name: "TOKEN", value }] }] } };
      const places = [
        [configMap({ a: value }), "data.a holds"],
        [{ type: "kubernetes:core/v1:ConfigMap", props: { binaryData: { a: value } } }, "binaryData.a holds"],
        [
          { type: "kubernetes:core/v1:Service", props: { metadata: { annotations: { a: value } } } },
          "annotations.a holds",
        ],
        [{ type: "kubernetes:core/v1:Pod", props: pod }, "args[1] holds"],
        [{ type: "kubernetes:core/v1:Pod", props: pod }, "env.TOKEN holds"],
      ] as const;
      for (const [resource, found] of places) {
        const { violations } = judge(rule, resource);
        expect(violations.join("\n")).toContain(found);
        expect(violations.join("\n")).not.toContain(value);
      }
    },
  );

  test("accepts certificates, public keys and Secrets", () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const open = publicKey.export({ type: "spki", format: "pem" }) as string;
    const jwks = JSON.stringify({ keys: [publicKey.export({ format: "jwk" })] });
    expect(judge(rule, configMap({ open, base64: Buffer.from(open).toString("base64"), jwks }))).toEqual(passed);
    expect(judge(rule, { type: "kubernetes:core/v1:Secret", props: { stringData: { key: keys[0] } } })).toEqual(passed);
  });

  test("finds a violation beside an unknown value", () => {
    expect(judge(rule, configMap({ a: unknown, b: token }))).toMatchObject({
      violations: { length: 1 },
      unknown: true,
    });
  });
});

describe("gateway-host", () => {
  const rule = "gateway-host";
  const cluster = (host: unknown) => ({ type: "k8sauth:index:Cluster", props: { host } });

  test.each([
    "https://127.0.0.1:6443",
    "https://localhost:6443",
    "https://x.localhost",
    "https://[::1]:6443",
    "https://[::ffff:127.0.0.1]:6443",
    "https://0.0.0.0:6443",
    "https://169.254.1.1",
    "https://[fe80::1]",
    "https://kubernetes.default.svc",
    "https://api.cluster.local:6443",
    "http://k8s.example.com",
    "k8s.example.com",
  ])("refuses %s, for every resource that gets it", (host) => {
    expect(judge(rule, cluster(host)).violations).toHaveLength(1);
    expect(judge(rule, { type: "k8sauth:index:ReviewerToken", props: { host } }).violations).toHaveLength(1);
    expect(judge(rule, { type: "k8sauth:index:SignedCertificate", props: { host } }).violations).toHaveLength(1);
    const config = { "k8s-host": host };
    expect(judge(rule, { type: "k8sauth:index:AkeylessGatewayAuthConfig", props: { config } }).violations).toHaveLength(
      1,
    );
    expect(judge(rule, { type: "k8sauth:index:RancherKey", props: { server: host } }).violations).toHaveLength(1);
  });

  test("accepts a cluster-internal address for a gateway in the cluster", () => {
    const config = { "k8s-host": "https://kubernetes.default.svc", "use-gw-service-account": true };
    expect(judge(rule, { type: "k8sauth:index:AkeylessGatewayAuthConfig", props: { config } }).violations).toEqual([]);
  });

  test.each([
    "https://k8s.example.com:6443",
    "https://10.0.0.1:6443",
    "https://[2001:db8::1]:6443",
    "https://rancher.example.com/k8s/clusters/c-1",
  ])("takes %s", (host) => {
    expect(judge(rule, cluster(host))).toEqual(passed);
  });

  test("accepts loopback addresses if its setting allows them, and a host that is not known yet", () => {
    expect(judge(rule, cluster("https://127.0.0.1:6443"), { allowLoopback: true })).toEqual(passed);
    expect(judge(rule, cluster(undefined))).toEqual(passed);
    expect(judge(rule, cluster(unknown)).unknown).toBe(true);
  });

  test("shows no password of a URL", () => {
    expect(judge(rule, cluster("https://user:hunter2@127.0.0.1")).violations.join()).not.toContain("hunter2");
    expect(judge(rule, cluster("hunter2")).violations.join()).not.toContain("hunter2");
  });
});
