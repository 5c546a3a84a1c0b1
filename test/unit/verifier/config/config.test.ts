import { describe, expect, test } from "vitest";
import { flagOf, helpText, settingNames, variableOf } from "../../../../verifier/config/settings.ts";
import { inCluster, load, loadWith, mount, two } from "./fixture.ts";

describe("in a pod, with no more than an audience", () => {
  const config = load(["--audience", "shop"]);
  test("it is hybrid with the cluster's own API server, CA and token", () => {
    const api = { url: "https://10.0.0.1:6443", caFile: `${mount}/ca.crt`, tokenFile: `${mount}/token` };
    expect(config.issuers).toEqual([
      expect.objectContaining({
        name: "cluster",
        mode: "hybrid",
        issuer: undefined,
        audiences: ["shop"],
        keys: { kind: "api-server", endpoint: api },
        review: api,
        allow: [],
        maxTokenLifetimeSeconds: 86_400,
        clockSkewSeconds: 10,
      }),
    ]);
  });
  test("it has bounded everything", () => {
    expect(config).toMatchObject({
      listen: { host: undefined, port: 8080 },
      adminListen: { host: undefined, port: 8081 },
      tls: undefined,
      reviewCacheSeconds: 10,
      refusedCacheSeconds: 5,
      maxReviews: 32,
      reviewOutage: "refuse",
      drainSeconds: 5,
    });
  });
  test("IPv6 addresses of the API server get their brackets", () => {
    const { issuers } = load(["--audience", "shop"], { KUBERNETES_SERVICE_HOST: "fd00::1" });
    expect(issuers[0]?.review?.url).toBe("https://[fd00::1]:443");
  });
});

describe("where settings come from", () => {
  test("flags win over the environment, the environment over the file", () => {
    const env = { ...inCluster, K8SAUTH_VERIFIER_REALM: "env", K8SAUTH_VERIFIER_MAX_REVIEWS: "7" };
    const { realm, maxReviews, cacheEntries } = load(["--realm=flag"], env, {
      audience: "a",
      realm: "file",
      maxReviews: 3,
      cacheEntries: 9,
    });
    expect({ realm, maxReviews, cacheEntries }).toEqual({ realm: "flag", maxReviews: 7, cacheEntries: 9 });
  });
  test("lists are separated by commas, repeated, or lists", () => {
    const audiencesOf = (...given: Parameters<typeof load>) => load(...given).issuers[0]?.audiences;
    expect(audiencesOf(["--audience", "a,b", "--audience=c"])).toEqual(["a", "b", "c"]);
    expect(audiencesOf([], { ...inCluster, K8SAUTH_VERIFIER_AUDIENCE: "a, b" })).toEqual(["a", "b"]);
    expect(audiencesOf([], inCluster, { audience: ["a", "b"] })).toEqual(["a", "b"]);
  });
  test("settings that an entry of issuers omits have the values outside of the list", () => {
    const { issuers } = load([], inCluster, {
      audience: ["shop"],
      clockSkewSeconds: 3,
      issuers: [
        { name: "home", allow: ["shop/*"] },
        { name: "other", mode: "oidc-discovery", issuer: "https://other.example", audience: ["special"], allow: "a/b" },
      ],
    });
    expect(issuers).toMatchObject([
      { name: "home", mode: "hybrid", audiences: ["shop"], clockSkewSeconds: 3 },
      {
        name: "other",
        mode: "oidc-discovery",
        audiences: ["special"],
        clockSkewSeconds: 3,
        keys: {
          kind: "discovery",
          endpoint: { url: "https://other.example", caFile: undefined, tokenFile: undefined },
        },
        allow: [{ namespace: "a", serviceAccount: "b", pod: undefined }],
      },
    ]);
  });
  test("the rules of one cluster are never those of another, and a single entry takes them from outside", () => {
    expect(loadWith(two()).map(({ allow }) => allow.map(({ serviceAccount }) => serviceAccount))).toEqual([
      ["*"],
      ["frontend"],
    ]);
    const [only] = load([], inCluster, {
      audience: "a",
      allow: "kube-system/admin",
      issuers: [{ name: "home" }],
    }).issuers;
    expect(only?.allow).toEqual([{ namespace: "kube-system", serviceAccount: "admin", pod: undefined }]);
  });
  test("variables that the kubelet sets for a Service of that name are ignored", () => {
    const links = [
      "SERVICE_HOST",
      "SERVICE_PORT",
      "SERVICE_PORT_HTTP",
      "PORT",
      "PORT_8080_TCP",
      "PORT_8080_TCP_ADDR",
      "METRICS_PORT",
    ];
    const env = Object.fromEntries(links.map((name) => [`K8SAUTH_VERIFIER_${name}`, "tcp://10.0.0.9:8080"]));
    expect(load(["--audience", "a"], { ...inCluster, ...env }).issuers).toHaveLength(1);
  });
  test("the help names every flag", () => {
    for (const name of settingNames) expect(helpText()).toContain(`  ${flagOf(name)} `);
    expect([flagOf("tlsClientCaFile"), variableOf("tlsClientCaFile")]).toEqual([
      "--tls-client-ca-file",
      "K8SAUTH_VERIFIER_TLS_CLIENT_CA_FILE",
    ]);
  });
});

describe("keys", () => {
  const keysOf = (more: object) => load([], inCluster, { audience: "a", ...more }).issuers[0]?.keys;
  test("the cluster's own names are the API server: its CA and our token", () => {
    expect(keysOf({ mode: "oidc-discovery", issuer: "https://kubernetes.default.svc.cluster.local" })).toEqual({
      kind: "discovery",
      endpoint: {
        url: "https://kubernetes.default.svc.cluster.local",
        caFile: `${mount}/ca.crt`,
        tokenFile: `${mount}/token`,
      },
    });
  });
  test("the verifier's token is not sent to a server with a similar name", () => {
    for (const host of [
      "kubernetes.default.svc.evil_example",
      "kubernetes.evil.example",
      "kubernetes.default.example",
      "xkubernetes",
    ]) {
      const keys = keysOf({ mode: "oidc-discovery", issuer: `https://${host}` });
      expect(keys).toMatchObject({ endpoint: { tokenFile: undefined, caFile: undefined } });
    }
  });
  test("an issuer elsewhere can have its own document, CA and token", () => {
    expect(
      keysOf({
        mode: "hybrid",
        issuer: "api",
        discoveryUrl: "https://keys.example/x/",
        caFile: "/ca",
        tokenFile: "/t",
      }),
    ).toEqual({ kind: "discovery", endpoint: { url: "https://keys.example/x", caFile: "/ca", tokenFile: "/t" } });
  });
});
