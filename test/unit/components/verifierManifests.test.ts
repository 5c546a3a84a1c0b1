import { describe, expect, test } from "vitest";
import {
  callerToken,
  resourcesProblem,
  type VerifierMode,
  verifierModes,
  verifierRules,
} from "../../../components/verifier/manifests.ts";
import { verifierRights } from "../../../components/verifier/permissions.ts";
import { nodeFlags } from "../../../verifier/nodeFlags.ts";
import { labels, podOf } from "./verifierFixture.ts";

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

test("a caller mounts a token for this audience only, which the kubelet renews", () => {
  const { volume, volumeMount, tokenPath } = callerToken("orders");
  expect(volume.projected.sources).toEqual([
    { serviceAccountToken: { path: "token", expirationSeconds: 3600, audience: "orders" } },
  ]);
  expect(volumeMount).toEqual({ name: volume.name, mountPath: "/var/run/secrets/k8sauth-verifier", readOnly: true });
  expect(tokenPath).toBe(`${volumeMount.mountPath}/token`);
});
