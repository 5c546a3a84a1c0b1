import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, test } from "vitest";
import { defaultVerifierImage, imageNotes } from "../../../components/verifier/image.ts";
import { readSettings } from "../../../stack/settings/index.ts";
import { rsaKey, strangeKey } from "../../support/verifier/tokens.ts";
import { inStack } from "./inStack.ts";

beforeAll(inStack);

/** Reads the verifier's settings as they come from a stack: all of them text. */
function read(values: Record<string, string>) {
  const keyed = Object.entries({ context: "prod", verifier: "true", ...values }).map(([key, value]) => [
    `k8sauth:${key}`,
    value,
  ]);
  pulumi.runtime.setAllConfig(Object.fromEntries(keyed), []);
  return readSettings().verifier;
}

const audience = { verifierAudiences: '["orders"]' };

test("a verifier needs an audience and no other setting", () => {
  expect(read(audience)).toMatchObject({
    audiences: ["orders"],
    mode: "hybrid",
    allow: [],
    image: defaultVerifierImage,
    replicas: 2,
    createNamespace: true,
    monitoring: [],
  });
  expect(read(audience)).not.toHaveProperty("callers");
});

test.each([
  [
    { verifierReplicas: "3", verifierMaxReplicas: "2" },
    /verifierMaxReplicas.* is 2, which is less than k8sauth:verifierReplicas \(3\)/,
  ],
  [{ verifierResources: '{"memoryLimit":"64Mi"}' }, /verifierResources.*at least 192Mi/],
  [{ verifierResources: '{"memory":"1Gi"}' }, /verifierResources.*cpuRequest, cpuLimit, memoryRequest, memoryLimit/],
  [{ verifierEgressCidrs: '["10.0.0.1"]' }, /verifierEgressCidrs.*10\.0\.0\.1\/32/],
  [{ verifierSelfContainedImage: "true" }, /verifierSelfContainedImage is true, but k8sauth:verifierImage is not set/],
])("%j is refused", (values, message) => {
  expect(() => read({ ...audience, ...(values as Record<string, string>) })).toThrow(message);
});

test("all other properties of the verifier have settings", () => {
  const callers = [{ namespaceLabels: { team: "shop" }, podLabels: { app: "gateway" } }];
  expect(
    read({
      ...audience,
      verifierMode: "jwt-pubkey",
      verifierAllow: '["shop/*"]',
      verifierPublicKeys: strangeKey.publicPem,
      verifierImage: "registry.example/node:24",
      verifierSelfContainedImage: "true",
      verifierReplicas: "3",
      verifierMaxReplicas: "9",
      verifierResources: '{"memoryLimit":"256Mi"}',
      verifierSkipAwait: "true",
      verifierHostUsers: "false",
      verifierEgressCidrs: '["10.0.0.1/32"]',
      verifierNamespace: "auth",
      verifierCreateNamespace: "false",
      verifierCallers: JSON.stringify(callers),
      verifierMonitoring: '[{"podLabels":{"app":"prometheus"}}]',
      verifierTlsSecret: "serving",
      verifierPriorityClass: "system-cluster-critical",
      verifierSettings: '{"logLevel":"debug","cacheEntries":50}',
    }),
  ).toMatchObject({
    mode: "jwt-pubkey",
    publicKeys: strangeKey.publicPem.trim(),
    callers,
    selfContainedImage: true,
    replicas: 3,
    maxReplicas: 9,
    resources: { memoryLimit: "256Mi" },
    skipAwait: true,
    hostUsers: false,
    egressCidrs: ["10.0.0.1/32"],
    monitoring: [{ podLabels: { app: "prometheus" } }],
    tlsSecret: "serving",
    priorityClassName: "system-cluster-critical",
    settings: { logLevel: "debug", cacheEntries: 50 },
  });
});

describe("a wrong setting is refused with its name and the accepted values:", () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ["no audience", {}, /k8sauth:verifierAudiences is empty/],
    [
      "the API server's audience",
      { verifierAudiences: '["https://kubernetes.default.svc"]' },
      /k8sauth:verifierAudiences is refused by the verifier: .*the API server's own audience/,
    ],
    [
      "an audience with a blank in it",
      { verifierAudiences: '["two words"]' },
      /k8sauth:verifierAudiences is refused by the verifier: /,
    ],
    [
      "no rule",
      { ...audience, verifierAllow: '["shop"]' },
      /k8sauth:verifierAllow\[0\] is "shop"\. A rule is NAMESPACE/,
    ],
    ["no mode", { ...audience, verifierMode: "jwks" }, /k8sauth:verifierMode is "jwks"\. .*oidc-discovery/],
    ["no number", { ...audience, verifierReplicas: "0" }, /k8sauth:verifierReplicas is "0"/],
    [
      "callers that are no selectors",
      { ...audience, verifierCallers: '[{"labels":{}}]' },
      /k8sauth:verifierCallers\[0\]\.labels is not a field/,
    ],
    [
      "callers with a label that is no text",
      { ...audience, verifierCallers: '[{"podLabels":{"a":1}}]' },
      /k8sauth:verifierCallers/,
    ],
    [
      "monitoring that is no list",
      { ...audience, verifierMonitoring: '{"podLabels":{}}' },
      /k8sauth:verifierMonitoring/,
    ],
    [
      "keys for a mode that takes none",
      { ...audience, verifierPublicKeys: strangeKey.publicPem },
      /k8sauth:verifierPublicKeys is set/,
    ],
    [
      "keys that are none",
      { ...audience, verifierMode: "jwt-pubkey", verifierPublicKeys: "garbage" },
      /k8sauth:verifierPublicKeys is refused by the verifier: .*holds no keys/,
    ],
    [
      "one of several issuers without its own rules",
      {
        ...audience,
        verifierSettings: JSON.stringify({
          issuers: [
            { name: "here", allow: ["shop/*"] },
            { name: "other", mode: "oidc-discovery", issuer: "https://other.example" },
          ],
        }),
      },
      /k8sauth:verifierSettings is refused by the verifier: CONFIG_ALLOW_MISSING: issuers\[1\] \("other"\) has no allow/,
    ],
    [
      "rules for several issuers at once",
      {
        ...audience,
        verifierAllow: '["shop/*"]',
        verifierSettings: JSON.stringify({
          issuers: [
            { name: "here", allow: ["shop/*"] },
            { name: "other", mode: "oidc-discovery", issuer: "https://other.example", allow: ["shop/*"] },
          ],
        }),
      },
      /k8sauth:verifierAllow is set, but k8sauth:verifierSettings has several issuers/,
    ],
    [
      "a Secret without a namespace",
      { ...audience, verifierTlsSecret: "tls" },
      /k8sauth:verifierTlsSecret is set, but k8sauth:verifierNamespace/,
    ],
  ])("%s", (_what, values, reason) => {
    expect(() => read(values)).toThrow(reason);
  });

  test("a private key, whose content is not in the error", () => {
    const pem = rsaKey().privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    const refuse = () => read({ ...audience, verifierMode: "jwt-pubkey", verifierPublicKeys: pem });
    expect(refuse).toThrow(/k8sauth:verifierPublicKeys is refused by the verifier: .*holds a private key/);
    expect(refuse).not.toThrow(pem.split("\n")[2]);
  });
});

test("the mode tokenreview accepts the API server's audience, because it detects revoked tokens", () => {
  const own = { verifierAudiences: '["https://kubernetes.default.svc"]', verifierMode: "tokenreview" };
  expect(read(own)?.audiences).toEqual(["https://kubernetes.default.svc"]);
});

test("a note says how to pin an image tag; an image with a digest causes none", () => {
  expect(imageNotes(defaultVerifierImage).join()).toMatch(
    /is a tag.*k8sauth:verifierImage to gcr\.io\/distroless\/nodejs24-debian13:nonroot@sha256:.*default-image-pinned warns/,
  );
  expect(imageNotes("registry.example/node:24").join()).toMatch(/is a tag.*image-pinned refuses/);
  expect(imageNotes(`registry.example/node:24@sha256:${"0".repeat(64)}`)).toEqual([]);
  expect(imageNotes("registry.example/node@sha256:123")).toHaveLength(1);
});
