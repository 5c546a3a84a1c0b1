import { describe, expect, test } from "vitest";
import { verifierConfigProblem } from "../../../components/verifier/configProblem.ts";
import {
  callerToken,
  type PodOptions,
  resourcesProblem,
  type VerifierMode,
  type VerifierSettings,
  verifierConfig,
  verifierFiles,
  verifierModes,
  verifierPod,
  verifierRules,
} from "../../../components/verifier/manifests.ts";
import { cidrsProblem, type NetworkOptions, verifierNetwork } from "../../../components/verifier/network.ts";
import { verifierRights } from "../../../components/verifier/permissions.ts";
import { nodeFlags } from "../../../verifier/nodeFlags.ts";
import { goodKey, rsaKey } from "../../support/verifier/tokens.ts";

const labels = { "app.kubernetes.io/name": "verifier" };

const program = { "verifier.mjs": "code", "verifier.licenses.txt": "licenses" };

function podOf(more: Partial<PodOptions> = {}) {
  const pod = verifierPod({
    mode: "hybrid",
    image: "registry.example/node@sha256:0",
    labels,
    configMap: "verifier-1",
    serviceAccount: "verifier",
    ...more,
  });
  const [container] = pod.containers;
  if (!container) throw new Error("a pod without a container");
  return { pod, container };
}

function settingsOf(more: Partial<VerifierSettings> = {}): VerifierSettings {
  const publicKeys = JSON.stringify({ keys: [goodKey.jwk] });
  return {
    mode: "hybrid",
    audiences: ["orders"],
    issuer: "https://issuer.example",
    publicKeys,
    allow: [],
    tls: false,
    ...more,
  };
}

describe("the verifier's pod", () => {
  test("complies with the restricted standard, cannot write, has no service links and no default token", () => {
    const { pod, container } = podOf();
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 30,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65_532,
        runAsGroup: 65_532,
        seccompProfile: { type: "RuntimeDefault" },
      },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  test("limits Node.js's memory with the flags of the flood tests", () => {
    const { container } = podOf();
    expect(container.args.slice(0, nodeFlags.length)).toEqual(nodeFlags);
    expect(container.resources).toEqual({ requests: { cpu: "100m", memory: "96Mi" }, limits: { memory: "192Mi" } });
  });

  test.each(verifierModes)("allows Node.js to read exactly the mounted folders in mode %s", (mode) => {
    for (const tlsSecret of [undefined, "serving"]) {
      const { pod, container } = podOf({ mode, tlsSecret });
      const readable = container.args.flatMap((arg) => /^--allow-fs-read=(.*)\/$/.exec(arg)?.[1] ?? []);
      expect(readable.sort()).toEqual(container.volumeMounts.map(({ mountPath }) => mountPath).sort());
      expect(container.volumeMounts.every(({ readOnly }) => readOnly)).toBe(true);
      expect(container.volumeMounts.map(({ name }) => name)).toEqual(pod.volumes.map(({ name }) => name));
    }
  });

  test("with an image that contains the verifier has the verifier's arguments, and the same mounts except the program", () => {
    for (const mode of verifierModes) {
      const [{ pod, container }, stock] = [podOf({ mode, selfContainedImage: true }), podOf({ mode })];
      expect(container.args).toEqual(stock.container.args.slice(-2));
      expect(container.volumeMounts).toEqual(stock.container.volumeMounts.filter(({ name }) => name !== "app"));
      expect(pod.volumes).toEqual(stock.pod.volumes.filter(({ name }) => name !== "app"));
    }
  });

  test("has a token for the API server only in modes that call it, for 3600 s, because 3607 s becomes a year", () => {
    const tokensOf = (mode: VerifierMode) =>
      JSON.stringify(podOf({ mode }).pod.volumes).match(/"serviceAccountToken":\{[^}]*\}/g);
    for (const mode of ["hybrid", "tokenreview", "oidc-discovery"] as const)
      expect(tokensOf(mode)).toEqual(['"serviceAccountToken":{"path":"token","expirationSeconds":3600}']);
    expect(tokensOf("jwt-pubkey")).toBeNull();
  });

  test("is probed on the admin port, and spread over hosts and zones", () => {
    const { pod, container } = podOf();
    for (const [probe, path] of [
      [container.startupProbe, "/livez"],
      [container.readinessProbe, "/readyz"],
      [container.livenessProbe, "/livez"],
    ] as const)
      expect(probe).toMatchObject({ httpGet: { path, port: "admin" }, timeoutSeconds: 3 });
    expect(container.ports).toContainEqual({ name: "admin", containerPort: 8081 });
    expect(pod.topologySpreadConstraints).toMatchObject(
      ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map((topologyKey) => ({
        topologyKey,
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: labels },
        matchLabelKeys: ["pod-template-hash"],
      })),
    );
  });

  test("requests the given resources, and the defaults of all others", () => {
    const { container } = podOf({ resources: { memoryLimit: "512Mi", cpuLimit: "1" } });
    expect(container.resources).toEqual({
      requests: { cpu: "100m", memory: "96Mi" },
      limits: { cpu: "1", memory: "512Mi" },
    });
  });

  test.each<[string, boolean]>([
    ["192Mi", true],
    ["1Gi", true],
    ["0.5Gi", true],
    ["201326592", true],
    ["200M", false],
    ["191Mi", false],
    ["much", false],
  ])("a memory limit of %s is large enough: %s", (memoryLimit, isEnough) => {
    expect(resourcesProblem({ memoryLimit }) === undefined).toBe(isEnough);
  });

  test("has a user namespace with hostUsers: false", () => {
    expect(podOf({ hostUsers: false }).pod).toMatchObject({ hostUsers: false });
    expect(podOf().pod).not.toHaveProperty("hostUsers");
  });

  test("reads its certificate from a Secret that only its group can read", () => {
    const { pod } = podOf({ tlsSecret: "serving" });
    expect(pod.securityContext.fsGroup).toBe(pod.securityContext.runAsGroup);
    expect(pod.volumes).toContainEqual({ name: "tls", secret: { secretName: "serving", defaultMode: 0o440 } });
    expect(JSON.stringify(podOf().pod.volumes)).not.toContain("secretName");
  });
});

describe("rights", () => {
  test.each<[VerifierMode, string[]]>([
    ["hybrid", ["create tokenreviews", "get /.well-known/openid-configuration", "get /openid/v1/jwks"]],
    ["tokenreview", ["create tokenreviews"]],
    ["oidc-discovery", ["get /.well-known/openid-configuration", "get /openid/v1/jwks"]],
    ["jwt-pubkey", []],
  ])("the mode %s needs %j and no more, and the deployer needs the same", (mode, expected) => {
    const given = verifierRules(mode).flatMap((rule) => {
      const objects = "resources" in rule ? rule.resources : rule.nonResourceURLs;
      return rule.verbs.flatMap((verb) => objects.map((object) => `${verb} ${object}`));
    });
    expect(given).toEqual(expected);
    const deployer = verifierRights({ createNamespace: true, mode }).map((right) =>
      "nonResourcePath" in right ? `${right.verb} ${right.nonResourcePath}` : `${right.verb} ${right.resource}`,
    );
    expect(deployer).toEqual(expect.arrayContaining(expected));
    expect(deployer.some((right) => right.endsWith("clusterroles"))).toBe(expected.length > 0);
  });
});

test("the deployer needs permissions for autoscalers only with maxReplicas", () => {
  const autoscalers = (maxReplicas?: number) =>
    verifierRights({ createNamespace: true, mode: "hybrid", maxReplicas }).filter(
      ({ group }) => group === "autoscaling",
    );
  expect(autoscalers()).toEqual([]);
  expect(autoscalers(5).map(({ verb }) => verb)).toEqual(expect.arrayContaining(["create", "patch", "delete"]));
});

describe("the network policy", () => {
  const policy = (more: Partial<NetworkOptions> = {}) =>
    verifierNetwork({ mode: "hybrid", labels, callers: [{}], monitoring: [], apiPort: 6443, ...more });

  interface Pod {
    readonly namespaceLabels: Record<string, string>;
    readonly labels: Record<string, string>;
  }
  /** Whether a pod may open a port, by the rules of NetworkPolicies: a peer's selectors all match, and the port is listed. */
  function lets(spec: ReturnType<typeof verifierNetwork>, pod: Pod, port: number): boolean {
    const fits = (wanted: Record<string, string>, has: Record<string, string>) =>
      Object.entries(wanted).every(([key, value]) => has[key] === value);
    return spec.ingress.some(
      ({ from, ports }) =>
        ports.some((one) => one.port === port && one.protocol === "TCP") &&
        from.some(
          (peer) =>
            fits(peer.namespaceSelector.matchLabels, pod.namespaceLabels) &&
            fits(("podSelector" in peer && peer.podSelector?.matchLabels) || {}, pod.labels),
        ),
    );
  }
  const shopGateway = { namespaceLabels: { team: "shop" }, labels: { app: "gateway" } };
  const shopOther = { namespaceLabels: { team: "shop" }, labels: { app: "batch" } };
  const stranger = { namespaceLabels: { team: "ads" }, labels: { app: "gateway" } };

  test("applies to the verifier's pods, in both directions", () => {
    expect(policy()).toMatchObject({ podSelector: { matchLabels: labels }, policyTypes: ["Ingress", "Egress"] });
  });

  test("by default admits callers of every namespace, and no reader of metrics", () => {
    for (const pod of [shopGateway, shopOther, stranger]) {
      expect(lets(policy(), pod, 8080)).toBe(true);
      expect(lets(policy(), pod, 8081)).toBe(false);
    }
  });

  test("admits only the given callers, by namespace and by pod", () => {
    const spec = policy({ callers: [{ namespaceLabels: { team: "shop" }, podLabels: { app: "gateway" } }] });
    expect([shopGateway, shopOther, stranger].map((pod) => lets(spec, pod, 8080))).toEqual([true, false, false]);
    const two = policy({ callers: [{ namespaceLabels: { team: "shop" } }, { podLabels: { app: "gateway" } }] });
    expect([shopGateway, shopOther, stranger].map((pod) => lets(two, pod, 8080))).toEqual([true, true, true]);
  });

  test("admits the given readers of metrics", () => {
    const spec = policy({
      callers: [{ namespaceLabels: { team: "shop" } }],
      monitoring: [{ podLabels: { app: "batch" } }],
    });
    expect([shopGateway, shopOther, stranger].map((pod) => lets(spec, pod, 8081))).toEqual([false, true, false]);
    expect(lets(spec, { ...stranger, labels: { app: "batch" } }, 8080)).toBe(false);
  });

  test("admits connections of the verifier to API server and DNS only, and none with fixed keys", () => {
    const ports = policy({ apiPort: 8443 }).egress.flatMap((rule) => rule.ports.map(({ port }) => port));
    expect(ports).toEqual([443, 6443, 8443, 53, 53]);
    expect(policy({ mode: "jwt-pubkey" }).egress).toEqual([]);
  });

  test("admits connections of the verifier to the given networks, and to DNS everywhere", () => {
    const [servers, dns] = policy({ egressCidrs: ["10.0.0.1/32", "fd00::/8"] }).egress;
    expect(servers).toMatchObject({ to: [{ ipBlock: { cidr: "10.0.0.1/32" } }, { ipBlock: { cidr: "fd00::/8" } }] });
    expect(dns).not.toHaveProperty("to");
    expect(policy().egress[0]).not.toHaveProperty("to");
  });

  test.each<[string, boolean]>([
    ["10.0.0.0/8", true],
    ["::/0", true],
    ["10.0.0.1", false],
    ["10.0.0.1/33", false],
    ["api.example.com/32", false],
    ["10.0.0.0/8/8", false],
  ])("%j is a network: %s", (cidr, isNetwork) => {
    expect(cidrsProblem([cidr]) === undefined).toBe(isNetwork);
  });
});

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

test("a caller mounts a token for this audience only, which the kubelet renews", () => {
  const { volume, volumeMount, tokenPath } = callerToken("orders");
  expect(volume.projected.sources).toEqual([
    { serviceAccountToken: { path: "token", expirationSeconds: 3600, audience: "orders" } },
  ]);
  expect(volumeMount).toEqual({ name: volume.name, mountPath: "/var/run/secrets/k8sauth-verifier", readOnly: true });
  expect(tokenPath).toBe(`${volumeMount.mountPath}/token`);
});
