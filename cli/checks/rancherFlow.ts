import type { Finding } from "../../kubernetes/finding.ts";
import { KubeClient } from "../../kubernetes/index.ts";
import { reviewToken, workloadToken } from "../../kubernetes/reviews.ts";

/** Akeyless' auth config for a gateway that goes through Rancher, as far as a check needs it. */
export interface RancherConfig {
  readonly "k8s-host": string;
  /** base64 of PEM; absent where a public CA signed. */
  readonly "k8s-ca-cert"?: string;
  readonly "rancher-api-key": string;
  readonly "rancher-cluster-id": string;
}

/** Proves an API key of Rancher as a gateway would use it: by a review of a token of the account default/default, and of none. */
export async function checkRancherFlow(config: RancherConfig, deployer: KubeClient): Promise<Finding[]> {
  using rancher = KubeClient.direct({
    server: `${config["k8s-host"]}/k8s/clusters/${config["rancher-cluster-id"]}`,
    caPem: Buffer.from(config["k8s-ca-cert"] ?? "", "base64").toString("utf8"),
    token: config["rancher-api-key"],
    label: "the Rancher API key",
  });
  const token = await workloadToken(deployer, "default", "default", "");
  const wanted = "system:serviceaccount:default:default";
  return [
    await reviewed("Rancher's API key reviews a token of the cluster", token, (name) => name === wanted),
    await reviewed(
      "Through Rancher a forged token is refused",
      `${token.slice(0, -20)}${"A".repeat(20)}`,
      (name) => !name,
    ),
  ];

  async function reviewed(claim: string, jwt: string, right: (name: string) => boolean): Promise<Finding> {
    try {
      const { authenticated, username, error } = await reviewToken(rancher, jwt);
      const seen = authenticated ? `accepted as ${username}` : `refused${error ? `: ${error}` : ""}`;
      return { claim, holds: right(authenticated ? username : ""), seen };
    } catch (error) {
      return { claim, holds: false, seen: (error as Error).message };
    }
  }
}
