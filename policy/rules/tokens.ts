/** Tokens of ServiceAccounts. */
import type { Policies } from "@pulumi/policy";
import { fits, isSecret, type ObjectMeta } from "../kubernetes.ts";
import { ofType, resourceRule } from "../rule.ts";
import { reviewers } from "./reviewers.ts";

const day = 24 * 3600;
const secretTokens = "https://kubernetes.io/docs/concepts/security/service-accounts/#get-a-token";
const isReviewerToken = ofType("k8sauth:index:ReviewerToken");

interface Secret {
  readonly metadata?: ObjectMeta;
  readonly type?: string;
}

function isTokenSecret(props: object): boolean {
  return (props as Secret).type === "kubernetes.io/service-account-token";
}

const tokenSecretForReviewers = resourceRule<{ reviewers: readonly string[] }>({
  name: "token-secret-for-reviewers",
  level: "mandatory",
  severity: "high",
  description: "Only reviewers have token Secrets.",
  reason: "Such a token never expires, and whoever may read the Secret has it.",
  remedy: "Let it have a token with an end (tokenMode tokenRequest), or a projected one in its pod.",
  url: secretTokens,
  tags: ["token"],
  settings: { reviewers },
  appliesTo: isSecret,
  check: ({ props }, report, settings) => {
    if (!isTokenSecret(props)) return;
    const account = (props as Secret).metadata?.annotations?.["kubernetes.io/service-account.name"] ?? "";
    if (!fits(account, settings.reviewers)) report(`It holds a token of the ServiceAccount ${account}.`);
  },
});

const tokenSecretDiscouraged = resourceRule({
  name: "token-secret-discouraged",
  level: "advisory",
  severity: "medium",
  description: "Tokens have an end.",
  reason: "The token of a Secret does not expire: once it has leaked, it is good until the Secret is deleted.",
  remedy: "Set k8sauth:tokenMode to tokenRequest, and schedule runs of up that renew it.",
  url: secretTokens,
  tags: ["token", "reviewer"],
  appliesTo: isSecret,
  check: ({ props }, report) => {
    if (isTokenSecret(props)) report("It holds a token that does not expire.");
  },
});

const tokenLifetime = resourceRule<{ maxDays: number }>({
  name: "token-lifetime",
  level: "mandatory",
  severity: "medium",
  description: "Tokens that are asked for have a bounded lifetime.",
  reason: "Until its end, a leaked token is good for as long as nobody notices.",
  remedy: "Ask for less in expirationSeconds (k8sauth:tokenExpirationSeconds); up renews it in time.",
  url: "https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/",
  tags: ["token"],
  settings: { maxDays: { type: "integer", description: "Longest lifetime, in days.", default: 30, minimum: 1 } },
  appliesTo: isReviewerToken,
  check: ({ props }, report, { maxDays }) => {
    const { mode, expirationSeconds = 30 * day } = props as { mode?: string; expirationSeconds?: number };
    if (mode !== "tokenRequest" || expirationSeconds <= maxDays * day) return;
    report(`It asks for ${expirationSeconds} seconds, which is more than ${maxDays} days.`);
  },
});

const workloadAudience = resourceRule({
  name: "workload-audience",
  level: "advisory",
  severity: "medium",
  description: "Workloads log in with tokens for an audience of the gateway's own.",
  reason: "A token for the API server's own audience is good there, too: who sees it can act as the workload.",
  remedy: "Set k8sauth:audience, and project tokens for it into the workloads.",
  url: "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#serviceaccount-token-volume-projection",
  tags: ["token", "reviewer"],
  appliesTo: isReviewerToken,
  check: ({ props }, report) => {
    const { proof, audience } = props as { proof?: string; audience?: string };
    if (proof !== "self" && !audience) report("It reviews tokens for the API server's own audience.");
  },
});

export const tokenRules: Policies = [tokenSecretForReviewers, tokenSecretDiscouraged, tokenLifetime, workloadAudience];
