import type { Finding } from "../../kubernetes/finding.ts";
import { KubeClient } from "../../kubernetes/index.ts";
import { reviewToken, workloadToken } from "../../kubernetes/reviews.ts";
import { ifPermitted } from "./permitted.ts";

/** The fields of Akeyless's auth config through Rancher that the check reads. */
export interface RancherConfig {
  readonly "k8s-host": string;
  /** Base64 of PEM; absent if a public CA signed Rancher's certificate. */
  readonly "k8s-ca-cert"?: string;
  readonly "rancher-api-key": string;
  readonly "rancher-cluster-id": string;
}

/** The ServiceAccount whose token is reviewed. Every cluster has it, and by default it has no rights. */
const account = { namespace: "default", name: "default" };
const username = `system:serviceaccount:${account.namespace}:${account.name}`;

const reviewsToken = "Rancher's API key reviews a token of the cluster";

/** Proves an API key of Rancher by calls that a gateway makes: the review of a token of the account default/default, and of a forged one. */
export async function checkRancherFlow(config: RancherConfig, deployer: KubeClient): Promise<Finding[]> {
  using rancher = KubeClient.direct({
    server: `${config["k8s-host"]}/k8s/clusters/${config["rancher-cluster-id"]}`,
    caPem: Buffer.from(config["k8s-ca-cert"] ?? "", "base64").toString("utf8"),
    token: config["rancher-api-key"],
    label: "the Rancher API key",
  });
  return await ifPermitted(deployer, {
    claim: reviewsToken,
    rights: [{ verb: "create", group: "", resource: "serviceaccounts", subresource: "token", ...account }],
    prove: async () => {
      const token = await workloadToken(deployer, account.namespace, account.name, "");
      const forged = `${token.slice(0, -20)}${"A".repeat(20)}`;
      return [
        await reviewed(rancher, reviewsToken, token, (name) => name === username),
        await reviewed(rancher, "Through Rancher a forged token is refused", forged, (name) => !name),
      ];
    },
  });
}

async function reviewed(
  rancher: KubeClient,
  claim: string,
  token: string,
  isExpected: (name: string) => boolean,
): Promise<Finding> {
  try {
    const { authenticated, username: name, error } = await reviewToken(rancher, token);
    const seen = authenticated ? `accepted as ${name}` : `refused${error ? `: ${error}` : ""}`;
    return { claim, holds: isExpected(authenticated ? name : ""), seen };
  } catch (error) {
    return { claim, holds: false, seen: (error as Error).message };
  }
}
