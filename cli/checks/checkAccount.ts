/** A ServiceAccount without rights, which represents a workload during a check. */
import { randomBytes } from "node:crypto";
import type { Right } from "../../kubernetes/cluster/rights.ts";
import { type KubeClient, type KubeObject, pathFor } from "../../kubernetes/index.ts";
import { workloadToken } from "../../kubernetes/reviews.ts";

/** Label of the account, by which a later check finds and deletes the account of an interrupted check. */
const label = { key: "app.kubernetes.io/managed-by", value: "k8sauth-check" };

/** Age from which an account is one of an interrupted check. Younger ones may belong to checks that run now. */
const interruptedAfterMs = 600_000;

export interface CheckAccount {
  /** Its user name in reviews. */
  readonly username: string;
  /** Requests a token. @param audience "" for the API server's own @throws KubeError */
  token(audience: string): Promise<string>;
  /** Deletes the account before the end of the check. */
  delete(): Promise<void>;
}

/** The rights that `withCheckAccount` needs. The account's name is generated, so they cannot be limited to a name. */
export function checkAccountRights(namespace: string): Right[] {
  const accounts = { group: "", resource: "serviceaccounts", namespace };
  return [
    ...["create", "list", "delete"].map((verb) => ({ verb, ...accounts })),
    { verb: "create", ...accounts, subresource: "token" },
  ];
}

/** Creates the account, and deletes it once `use` has settled. @throws KubeError, and the errors of `use` */
export async function withCheckAccount<T>(
  deployer: KubeClient,
  namespace: string,
  use: (account: CheckAccount) => Promise<T>,
): Promise<T> {
  const name = `k8sauth-check-${randomBytes(4).toString("hex")}`;
  const path = pathFor("v1", "ServiceAccount", namespace, name);
  const { metadata } = await deployer.create(pathFor("v1", "ServiceAccount", namespace), {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name, namespace, labels: { [label.key]: label.value } },
  });
  const remove = async () => {
    await deployer.delete(path, { ignoreNotFound: true });
  };
  try {
    await removeLeftovers(deployer, namespace, Date.parse(metadata?.creationTimestamp ?? ""));
    return await use({
      username: `system:serviceaccount:${namespace}:${name}`,
      token: (audience) => workloadToken(deployer, namespace, name, audience),
      delete: remove,
    });
  } finally {
    await remove();
  }
}

/** Deletes the accounts of interrupted checks. @param now time of the API server, in milliseconds */
async function removeLeftovers(deployer: KubeClient, namespace: string, now: number): Promise<void> {
  const query = { labelSelector: `${label.key}=${label.value}` };
  const path = pathFor("v1", "ServiceAccount", namespace);
  const { items = [] } = await deployer.get<{ items?: KubeObject[] }>(path, { query });
  for (const { metadata: { name, creationTimestamp = "" } = {} } of items) {
    const ageMs = now - Date.parse(creationTimestamp);
    if (name === undefined || Number.isNaN(ageMs) || ageMs < interruptedAfterMs) continue;
    await deployer.delete(pathFor("v1", "ServiceAccount", namespace, name), { ignoreNotFound: true });
  }
}
