import { describe, expect, test } from "vitest";
import { verifierConfigProblem } from "../../../components/verifier/configProblem.ts";
import {
  type VerifierSettings,
  verifierConfig,
  verifierFiles,
  verifierModes,
} from "../../../components/verifier/manifests.ts";
import { rsaKey } from "../../support/verifier/tokens.ts";
import { podOf, program, settingsOf } from "./verifierFixture.ts";

describe("the configuration", () => {
  test.each(verifierModes)("of the mode %s is accepted by the verifier", (mode) => {
    expect(verifierConfigProblem(settingsOf({ mode, allow: ["shop/*"], tls: true }))).toBeUndefined();
    if (mode !== "jwt-pubkey") expect(verifierConfigProblem(settingsOf({ mode, issuer: "" }))).toBeUndefined();
  });

  test("contains further settings unchanged, and several issuers besides the cluster's", () => {
    const issuers = [
      { name: "here", allow: ["shop/*"] },
      { name: "other", mode: "oidc-discovery", issuer: "https://other.example", allow: ["shop/frontend"] },
    ];
    const settings = settingsOf({ more: { reviewOutage: "local", issuers } });
    expect(verifierConfigProblem(settings)).toBeUndefined();
    const config = JSON.parse(verifierConfig(settings));
    expect(config).toMatchObject({ mode: "hybrid", audience: ["orders"], reviewOutage: "local", issuers });
    expect(config).not.toHaveProperty("issuer");
  });

  test("has the paths at which the pod mounts keys and certificates", () => {
    const { pod, container } = podOf({ mode: "jwt-pubkey", tlsSecret: "serving" });
    const folders = container.volumeMounts.map(({ mountPath }) => mountPath);
    const config = JSON.parse(verifierConfig(settingsOf({ mode: "jwt-pubkey", tls: true })));
    for (const path of [...config.publicKeyFile, config.tlsCertFile, config.tlsKeyFile])
      expect(folders).toContain(path.slice(0, path.lastIndexOf("/")));
    const data = Object.keys(verifierFiles(settingsOf({ mode: "jwt-pubkey" }), program));
    const mounted = pod.volumes.flatMap((volume) =>
      "configMap" in volume ? (volume.configMap?.items.map(({ key }) => key) ?? []) : [],
    );
    expect(mounted.sort()).toEqual(data.sort());
  });

  test.each<[string, Partial<VerifierSettings>, RegExp]>([
    [
      "the issuer as an audience in a local mode",
      { audiences: ["https://issuer.example"] },
      /API server's own audience/,
    ],
    ["no keys for jwt-pubkey", { mode: "jwt-pubkey", publicKeys: "" }, /holds no keys/],
    [
      "a private key",
      { mode: "jwt-pubkey", publicKeys: rsaKey().privateKey.export({ type: "pkcs8", format: "pem" }) as string },
      /holds a private key/,
    ],
    ["a weak key", { mode: "jwt-pubkey", publicKeys: rsaKey(1024).publicPem }, /no key that can verify tokens/],
    [
      "rules for several issuers at once",
      { allow: ["shop/*"], more: { issuers: [{ name: "here" }, { name: "other", issuer: "https://other.example" }] } },
      /allow is set outside of "issuers"/,
    ],
    [
      "an issuer whose keys cannot be fetched",
      { mode: "oidc-discovery", issuer: "kubernetes/serviceaccount" },
      /https URL/,
    ],
  ])("with %s is refused before anything is created", (_, more, problem) => {
    expect(verifierConfigProblem(settingsOf(more))).toMatch(problem);
  });
});
