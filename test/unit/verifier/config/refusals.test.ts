import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../../verifier/config/load.ts";
import type { VerifierErrorCode } from "../../../../verifier/errors.ts";
import { codeOf, inCluster, load, loadWith, two } from "./fixture.ts";

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

  test("a cluster without rules among several is named", () => {
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
