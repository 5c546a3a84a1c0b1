import { generateKeyPairSync, sign } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { TokenAccess } from "../../gateways/index.ts";
import type { Finding } from "../../kubernetes/finding.ts";
import { KubeClient } from "../../kubernetes/index.ts";
import { type Review, reviewToken } from "../../kubernetes/reviews.ts";
import { checkAccountRights, withCheckAccount } from "./checkAccount.ts";
import { readsNoSecrets } from "./forbidden.ts";
import { ifPermitted } from "./permitted.ts";

export interface TokenFlow {
  readonly access: TokenAccess;
  /** User name of the reviewer. */
  readonly subject: string;
  /** Namespace in which the check creates the ServiceAccount of a workload. */
  readonly namespace: string;
}

/**
 * Proves a reviewer's token by calls that a gateway makes. It reviews tokens: its own and that of a workload are accepted, those for another
 * audience, with a forged signature or of a deleted account are refused. It reads no Secrets. The workload is a ServiceAccount that is
 * created for the check and deleted again. If the deployer may not do that, one finding with the missing rights replaces these proofs.
 */
export async function checkTokenFlow(
  { access, subject, namespace }: TokenFlow,
  deployer: KubeClient,
): Promise<Finding[]> {
  const { host, caPem, token } = access;
  using reviewer = KubeClient.direct({ server: host, caPem, token, label: "the reviewer's token" });
  const itself = await reviewed(
    "The reviewer's token reviews itself",
    () => reviewToken(reviewer, token),
    (seen) => seen.authenticated && seen.username === subject,
  );
  if (!itself.holds) return [itself];
  return [
    itself,
    await readsNoSecrets(reviewer, "The reviewer's token reads no Secrets"),
    ...(await ifPermitted(deployer, {
      claim: "A valid token of a workload is accepted, and others are refused",
      rights: checkAccountRights(namespace),
      prove: () => reviewsWorkloads(reviewer, access, namespace, deployer),
    })),
  ];
}

function reviewsWorkloads(
  reviewer: KubeClient,
  { audience }: TokenAccess,
  namespace: string,
  deployer: KubeClient,
): Promise<Finding[]> {
  return withCheckAccount(deployer, namespace, async (account) => {
    const [good, other, ...spares] = await Promise.all([
      account.token(audience),
      account.token("k8sauth-check-other"),
      ...pauses.map(() => account.token(audience)),
    ]);
    const audiences = audience === "" ? undefined : [audience];
    const refused = (seen: Review) => !seen.authenticated;
    const findings = [
      await reviewed(
        "A workload's token is accepted, and the gateway learns whose it is",
        () => reviewToken(reviewer, good, audiences),
        ({ authenticated, username, audiences: seen }) =>
          authenticated && username === account.username && (!audience || seen.includes(audience)),
      ),
      await reviewed("A token for another audience is refused", () => reviewToken(reviewer, other, audiences), refused),
      await reviewed("A forged token is refused", () => reviewToken(reviewer, forge(good), audiences), refused),
    ];
    await account.delete();
    const gone = await reviewed(
      "A token of a deleted ServiceAccount is refused",
      () => untilRefused(reviewer, spares, audiences),
      refused,
    );
    return [...findings, gone];
  });
}

/**
 * Pauses before the reviews after the deletion, in milliseconds. The API server notices a deletion with a delay, and it caches an accepted
 * token for 10 s. Each review therefore needs a token that the API server has not seen.
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

async function reviewed(
  claim: string,
  review: () => Promise<Review>,
  isExpected: (seen: Review) => boolean,
): Promise<Finding> {
  try {
    const seen = await review();
    const answer = seen.authenticated
      ? `accepted as ${seen.username}`
      : `refused${seen.error ? `: ${seen.error}` : ""}`;
    return { claim, holds: isExpected(seen), seen: answer };
  } catch (error) {
    return { claim, holds: false, seen: (error as Error).message };
  }
}

/** A token with the same header and claims, signed by a key that is not the cluster's. */
function forge(token: string): string {
  const signed = token.slice(0, token.lastIndexOf("."));
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
}
