import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../../verifier/config/load.ts";
import { flagOf, helpText, settingNames, variableOf } from "../../../../verifier/config/settings.ts";
import { VerifierError, type VerifierErrorCode } from "../../../../verifier/errors.ts";

const inCluster = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "6443" };
const mount = "/var/run/secrets/kubernetes.io/serviceaccount";

function load(args: readonly string[] = [], env: NodeJS.ProcessEnv = inCluster, file?: unknown) {
  const text = typeof file === "string" ? file : JSON.stringify(file);
  return loadConfig({ args: file === undefined ? args : ["--config", "/c.json", ...args], env, readFile: () => text });
}

/** Two entries of `issuers` that are in order, but for what is changed in the second. */
function two(more: object = {}): readonly object[] {
  return [
    { name: "home", allow: ["shop/*"] },
    { name: "other", mode: "oidc-discovery", issuer: "https://other.example", allow: ["shop/frontend"], ...more },
  ];
}

const loadWith = (issuers: readonly object[]) => load([], inCluster, { audience: "a", issuers }).issuers;

function codeOf(work: () => unknown): VerifierErrorCode | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof VerifierError) return error.code;
    throw error;
  }
  return undefined;
}

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

describe("refused before anything is opened", () => {
  test.each<[VerifierErrorCode, readonly string[], NodeJS.ProcessEnv?, unknown?]>([
    ["CONFIG_AUDIENCE_MISSING", []],
    ["CONFIG_AUDIENCE_API", ["--audience", "https://kubernetes.default.svc"]],
    ["CONFIG_AUDIENCE_API", ["--audience", "a,https://kubernetes.default.svc.cluster.local"]],
    ["CONFIG_AUDIENCE_API", ["--audience", "own", "--api-audience", "own"]],
    ["CONFIG_AUDIENCE_API", ["--audience", "https://i", "--issuer", "https://i"]],
    ["CONFIG_UNKNOWN_SETTING", ["--audience", "a", "--audiences", "b"]],
    ["CONFIG_UNKNOWN_SETTING", ["extra"]],
    ["CONFIG_UNKNOWN_SETTING", ["--audience", "a"], { ...inCluster, K8SAUTH_VERIFIER_AUDIENCES: "b" }],
    ["CONFIG_UNKNOWN_SETTING", [], inCluster, { audience: "a", audiences: "b" }],
    ["CONFIG_UNKNOWN_SETTING", [], inCluster, { audience: "a", issuers: [{ listen: ":1" }] }],
    ["CONFIG_UNKNOWN_SETTING", [], inCluster, '{"audience":"a","__proto__":{}}'],
    ["CONFIG_INVALID", ["--audience"]],
    ["CONFIG_INVALID", ["--audience", "--mode"]],
    ["CONFIG_INVALID", ["--audience", "a", "--mode", "jwt"]],
    ["CONFIG_INVALID", ["--audience", "a", "--realm", "x", "--realm", "y"]],
    ["CONFIG_INVALID", ["--audience", "a", "--realm", 'a"b']],
    ["CONFIG_INVALID", ["--audience", "a b"]],
    ["CONFIG_INVALID", ["--audience", "a,,b"]],
    ["CONFIG_INVALID", ["--audience", "a", "--clock-skew-seconds", "61"]],
    ["CONFIG_INVALID", ["--audience", "a", "--clock-skew-seconds", "-1"]],
    ["CONFIG_INVALID", ["--audience", "a", "--clock-skew-seconds", "1e1"]],
    ["CONFIG_INVALID", ["--audience", "a", "--max-reviews", "1.5"]],
    ["CONFIG_INVALID", ["--audience", "a", "--listen", "8080"]],
    ["CONFIG_INVALID", ["--audience", "a", "--listen", ":99999"]],
    ["CONFIG_INVALID", ["--audience", "a", "--allow", "team-a"]],
    ["CONFIG_INVALID", ["--audience", "a", "--allow", "a/b/c/d"]],
    ["CONFIG_INVALID", ["--audience", "a", "--allow", "A/b"]],
    ["CONFIG_INVALID", ["--audience", "a"], {}],
    ["CONFIG_INVALID", ["--audience", "a", "--api-server", "http://10.0.0.1"]],
    ["CONFIG_INVALID", ["--audience", "a", "--api-server", "https://u:p@10.0.0.1"]],
    ["CONFIG_INVALID", [], inCluster, { audience: "a", maxReviews: null }],
    ["CONFIG_INVALID", [], inCluster, { audience: [] }],
    ["CONFIG_INVALID", [], inCluster, { audience: [1] }],
    ["CONFIG_FILE_MALFORMED", [], inCluster, "{"],
    ["CONFIG_FILE_MALFORMED", [], inCluster, "[]"],
    ["CONFIG_FILE_MALFORMED", [], inCluster, { audience: "a", issuers: [] }],
    ["CONFIG_FILE_MALFORMED", [], inCluster, { audience: "a", issuers: {} }],
    ["CONFIG_CONTRADICTION", ["--audience", "a", "--tls-cert-file", "/c"]],
    ["CONFIG_CONTRADICTION", ["--audience", "a", "--tls-client-ca-file", "/c"]],
    [
      "CONFIG_CONTRADICTION",
      ["--audience", "a", "--issuer", "i", "--jwks-uri", "https://k", "--public-key-file", "/k"],
    ],
    [
      "CONFIG_CONTRADICTION",
      ["--audience", "a", "--mode", "oidc-discovery", "--issuer", "https://i", "--public-key-file", "/k"],
    ],
    ["CONFIG_CONTRADICTION", ["--audience", "a", "--mode", "tokenreview", "--public-key-file", "/k"]],
    ["CONFIG_CONTRADICTION", [], inCluster, { audience: "a", issuer: "i", issuers: [{ name: "x" }, { name: "y" }] }],
    ["CONFIG_CONTRADICTION", [], inCluster, { audience: "a", allow: "a/b", issuers: two() }],
    ["CONFIG_CONTRADICTION", ["--allow", "a/b"], inCluster, { audience: "a", issuers: two() }],
    ["CONFIG_CONTRADICTION", [], { ...inCluster, K8SAUTH_VERIFIER_ALLOW: "a/b" }, { audience: "a", issuers: two() }],
    ["CONFIG_ALLOW_MISSING", [], inCluster, { audience: "a", issuers: two({ allow: undefined }) }],
    ["CONFIG_ISSUER_MISSING", [], inCluster, { audience: "a", issuers: two({ issuer: undefined }) }],
    [
      "CONFIG_ISSUER_MISSING",
      [],
      inCluster,
      { audience: "a", issuers: two({ issuer: undefined, mode: "tokenreview" }) },
    ],
    ["CONFIG_KEYS_MISSING", ["--audience", "a", "--mode", "jwt-pubkey", "--issuer", "i"]],
    ["CONFIG_ISSUER_MISSING", ["--audience", "a", "--mode", "jwt-pubkey", "--public-key-file", "/k"]],
    ["CONFIG_ISSUER_MISSING", ["--audience", "a", "--jwks-uri", "https://k"]],
    ["CONFIG_ISSUER_INVALID", ["--audience", "a", "--mode", "oidc-discovery", "--issuer", "api"]],
    ["CONFIG_ISSUER_INVALID", ["--audience", "a", "--mode", "oidc-discovery", "--issuer", "http://i.example"]],
    ["CONFIG_ISSUER_INVALID", ["--audience", "a", "--issuer", "a b"]],
    [
      "CONFIG_ISSUER_TWICE",
      [],
      inCluster,
      {
        audience: "a",
        issuers: [
          { issuer: "https://i", name: "x", allow: ["*/*"] },
          { issuer: "https://i", name: "y", allow: ["*/*"] },
        ],
      },
    ],
    [
      "CONFIG_ISSUER_TWICE",
      [],
      inCluster,
      {
        audience: "a",
        issuers: [
          { issuer: "i", name: "x", allow: ["*/*"] },
          { issuer: "j", name: "x", allow: ["*/*"] },
        ],
      },
    ],
  ])("%s for %j", (code, args, env = inCluster, file = undefined) => {
    expect(codeOf(() => load(args, env, file))).toBe(code);
  });

  test("a cluster that has no rules of its own among several is named", () => {
    const load = () => loadWith(two({ allow: undefined }));
    expect(load).toThrow(/^issuers\[1\] \("other"\) has no allow/);
    expect(() => loadWith(two({ allow: undefined, name: undefined }))).toThrow(
      /^issuers\[1\] \("https:\/\/other.example"\)/,
    );
  });
  test("several clusters that nothing distinguishes are named", () => {
    expect(() => loadWith(two({ issuer: undefined, name: undefined }))).toThrow(
      /^issuers\[0\] \("home"\) and issuers\[1\] have no issuer/,
    );
  });
  test("a file that is not there is named", () => {
    const work = () => loadConfig({ args: ["--config", "/not/there.json"], env: {} });
    expect(codeOf(work)).toBe("CONFIG_FILE_UNREADABLE");
    expect(work).toThrow("/not/there.json");
  });
  test("values are not repeated, because an invalid one can be a secret", () => {
    expect(() => load(["--audience", "a", "--max-reviews", "hunter2"])).toThrow(/^(?!.*hunter2).*--max-reviews/);
  });
  test("tokenreview accepts the API server's own audience, because reviews detect revoked tokens", () => {
    const { issuers } = load(["--mode", "tokenreview", "--audience", "https://kubernetes.default.svc"]);
    expect(issuers[0]).toMatchObject({ keys: undefined, maxTokenLifetimeSeconds: 0 });
  });
});
