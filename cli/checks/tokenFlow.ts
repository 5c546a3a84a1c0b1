import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { TokenAccess } from "../../gateways/index.ts";
import type { Finding } from "../../kubernetes/finding.ts";
import { KubeClient, pathFor } from "../../kubernetes/index.ts";
import { type Review, reviewToken, workloadToken } from "../../kubernetes/reviews.ts";
import { readsNoSecrets } from "./report.ts";

/** Says of an account that a check made it, so that one which was interrupted can be cleaned up by the next. */
const labels = { "app.kubernetes.io/managed-by": "k8sauth-check" };

export interface TokenFlow {
  readonly access: TokenAccess;
  /** The reviewer's own user name. */
  readonly subject: string;
  /** Where a workload's account is made for the time of the check. */
  readonly namespace: string;
}

/**
 * Proves a reviewer's token as a gateway would use it: it reviews itself and a workload's token, and refuses what ought
 * to be refused. The workload is a ServiceAccount that is made for the purpose and deleted again.
 */
export async function checkTokenFlow(flow: TokenFlow, deployer: KubeClient): Promise<Finding[]> {
  const { access, subject, namespace } = flow;
  const { host, caPem, token, audience } = access;
  using reviewer = KubeClient.direct({ server: host, caPem, token, label: "the reviewer's token" });
  const findings: Finding[] = [];
  const itself = await reviewed(
    "The reviewer's token reviews itself",
    () => reviewToken(reviewer, token),
    (seen) => seen.authenticated && seen.username === subject,
  );
  findings.push(itself);
  if (!itself.holds) return findings;
  findings.push(await readsNoSecrets(reviewer, "The reviewer's token reads no Secrets"));

  await removeLeftovers(deployer, namespace);
  const account = `k8sauth-check-${randomBytes(4).toString("hex")}`;
  const username = `system:serviceaccount:${namespace}:${account}`;
  const path = pathFor("v1", "ServiceAccount", namespace, account);
  await deployer.create(pathFor("v1", "ServiceAccount", namespace), {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: account, namespace, labels },
  });
  try {
    const [good, other, ...spares] = await Promise.all([
      workloadToken(deployer, namespace, account, audience),
      workloadToken(deployer, namespace, account, "k8sauth-check-other"),
      ...pauses.map(() => workloadToken(deployer, namespace, account, audience)),
    ]);
    const audiences = audience === "" ? undefined : [audience];
    const refused = (seen: Review) => !seen.authenticated;
    findings.push(
      await reviewed(
        "A workload's token is accepted, and the gateway learns whose it is",
        () => reviewToken(reviewer, good, audiences),
        (seen) => seen.authenticated && seen.username === username && (!audience || seen.audiences.includes(audience)),
      ),
      await reviewed("A token for another audience is refused", () => reviewToken(reviewer, other, audiences), refused),
      await reviewed("A forged token is refused", () => reviewToken(reviewer, forge(good), audiences), refused),
    );
    await deployer.delete(path);
    findings.push(
      await reviewed(
        "A token of a deleted ServiceAccount is refused",
        () => untilRefused(reviewer, spares, audiences),
        refused,
      ),
    );
  } finally {
    await deployer.delete(path, { ignoreNotFound: true });
  }
  return findings;
}

/**
 * The API server hears of a deletion a moment later, and remembers a good review for 10 s: each try needs a token that it
 * has not seen.
 */
const pauses = [0, 30, 100, 300, 1000];

async function untilRefused(
  reviewer: KubeClient,
  tokens: readonly string[],
  audiences: readonly string[] | undefined,
): Promise<Review> {
  let seen: Review | undefined;
  for (const [index, token] of tokens.entries()) {
    await sleep(pauses[index]);
    seen = await reviewToken(reviewer, token, audiences);
    if (!seen.authenticated) break;
  }
  return seen as Review;
}

async function reviewed(claim: string, ask: () => Promise<Review>, right: (seen: Review) => boolean): Promise<Finding> {
  try {
    const seen = await ask();
    const answer = seen.authenticated
      ? `accepted as ${seen.username}`
      : `refused${seen.error ? `: ${seen.error}` : ""}`;
    return { claim, holds: right(seen), seen: answer };
  } catch (error) {
    return { claim, holds: false, seen: (error as Error).message };
  }
}

async function removeLeftovers(deployer: KubeClient, namespace: string): Promise<void> {
  const query = {
    labelSelector: Object.entries(labels)
      .map((pair) => pair.join("="))
      .join(","),
  };
  const { items = [] } = await deployer.get<{ items?: { metadata: { name: string } }[] }>(
    pathFor("v1", "ServiceAccount", namespace),
    { query },
  );
  for (const { metadata } of items) {
    await deployer.delete(pathFor("v1", "ServiceAccount", namespace, metadata.name), { ignoreNotFound: true });
  }
}

/** The token's own header and claims, signed by a key that is not the cluster's. */
function forge(token: string): string {
  const signed = token.slice(0, token.lastIndexOf("."));
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
}
