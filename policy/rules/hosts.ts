/** Addresses in the auth configs of gateways. */
import type { Policies } from "@pulumi/policy";
import { unreachableReason } from "../hosts.ts";
import { resourceRule } from "../rule.ts";

/** Reads the address of the API server for a gateway, by type of the resource. */
const hosts: Readonly<Record<string, (props: Readonly<Record<string, unknown>>) => unknown>> = {
  "k8sauth:index:Cluster": ({ host }) => host,
  "k8sauth:index:ReviewerToken": ({ host }) => host,
  "k8sauth:index:SignedCertificate": ({ host }) => host,
  "k8sauth:index:RancherKey": ({ server }) => server,
  "k8sauth:index:AkeylessGatewayAuthConfig": ({ config }) => hostOf(config as AuthConfig | undefined),
};

type AuthConfig = Readonly<Record<string, unknown>>;

/** A gateway that reviews as its own ServiceAccount runs in the cluster and uses an address of the cluster. */
function hostOf(config: AuthConfig | undefined): unknown {
  return config?.["use-gw-service-account"] === true ? undefined : config?.["k8s-host"];
}

const reachable = resourceRule<{ allowLoopback: boolean }>({
  name: "gateway-host",
  level: "mandatory",
  severity: "high",
  description: "A gateway gets an address of the API server that it can reach.",
  reason:
    "A loopback address is the gateway's own machine. Another program that listens there would receive the tokens.",
  remedy:
    'Set k8sauth:kubernetesHost (k8sauth:rancherUrl for Rancher) to an https URL of the server that works where the gateway runs. For a sandbox, pass --policy-pack-config FILE with {"gateway-host": {"allowLoopback": true}}.',
  url: "https://developer.hashicorp.com/vault/docs/auth/kubernetes",
  tags: ["gateway"],
  settings: {
    allowLoopback: {
      type: "boolean",
      description: "Accepts addresses that only this machine can reach: for sandboxes.",
      default: false,
    },
  },
  appliesTo: (type) => type in hosts,
  check: ({ type, props }, report, { allowLoopback }) => {
    const host = hosts[type]?.(props);
    if (typeof host !== "string" || host === "" || allowLoopback) return;
    const why = unreachableReason(host);
    if (why !== undefined) report(`The gateway would go to ${withoutPassword(host)}, which is ${why}.`);
  },
});

/** The origin of an address. The rest of it may contain a password. */
function withoutPassword(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "the given value";
}

export const hostRules: Policies = [reachable];
