import { describe, expect, test } from "vitest";
import { cidrsProblem, type NetworkOptions, verifierNetwork } from "../../../components/verifier/network.ts";
import { labels } from "./verifierFixture.ts";

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
